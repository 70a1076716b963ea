// The picture of a training's log.
#include <doctest/doctest.h>

#include <algorithm>

#include "tools/training_curves.h"

using namespace star;

namespace {

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++n;
    return n;
}

}  // namespace

TEST_CASE("a training's curves: a line through all steps, a dot for each validation, broken rows left out") {
    const std::string head = "step,fields,rate,classes,boxes,norm,validation_classes,validation_boxes,seconds\n";
    std::string log = head;
    for (int step = 1; step <= 40; ++step)
        log += std::to_string(step) + ",4,0.001," + (step == 1 ? "3" : "1") + ",0.5,1," +
               (step % 20 ? "," : "0.75,0.25") + ",9.5\n";
    const std::string whole = training_curves(log);
    CHECK(whole.starts_with("<svg xmlns="));
    CHECK(whole.ends_with("</svg>\n"));
    const std::string line = whole.substr(whole.find("<g class=\"c0\">"), whole.find("<g class=\"c1\">"));
    CHECK(count(line.substr(0, line.find("</g>")), "L") == 39);  // from the first step through 39 more
    CHECK(count(whole, "<circle") == 2);
    CHECK(training_curves(log + "41,4,0.0") == whole);
    CHECK(training_curves(log + "rubbish\n") == whole);
    CHECK(training_curves(head).find("</svg>") != std::string::npos);  // a run that has just begun
    // The axis ends 5 % above the largest loss, 3.5 on the first step: a window of one, 40 steps being few.
    CHECK(whole.find(">3<") != std::string::npos);
    CHECK(whole.find(">4<") == std::string::npos);
}
