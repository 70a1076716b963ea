// Data, style and scripts put into one text.
#include "tools/catalogue_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/deflate.h"
#include "kernels/check.h"
#include "tools/base64.h"
#include "tools/catalogue.h"
#include "tools/catalogue_plots.h"
#include "tools/embedded.h"
#include "tools/page_pixels.h"
#include "tools/page_sky.h"
#include "tools/page_table.h"
#include "tools/report_plot.h"
#include "tools/report_style.h"

namespace star {
namespace {

using Json = nlohmann::json;

std::string embedded(const std::vector<EmbeddedFile>& files, const char* name) {
    for (const EmbeddedFile& f : files)
        if (f.name == name) return std::string(f.bytes);
    fail(Fault::internal, "the program lacks its page's ", name);
}

Json packed_psf(const Psf& psf) {
    constexpr double reach = 24;  // px: fainter wings are below what a cut-out shows
    const int over = std::max(4, int(std::ceil(8 / psf.fwhm())));
    const int half = int(std::ceil(std::min(reach, double(psf.reach())) * over));
    std::vector<float> values;
    for (int j = -half; j <= half; ++j)
        for (int i = -half; i <= half; ++i) values.push_back(psf.at(double(i) / over, double(j) / over));
    std::string bytes(values.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return {{"half", half}, {"oversampling", over}, {"data", base64(deflated(bytes))}};
}

Json pixels_json(const PackedPixels& p) {
    return {{"width", p.width}, {"height", p.height}, {"bin", p.bin},     {"sky", p.sky},       {"noise", p.noise},
            {"top", p.top},     {"unit", p.unit},     {"per_e", p.per_e}, {"middle", p.middle}, {"data", p.data}};
}

std::string depth_in_words(const PackedPixels& p) {
    std::string words = fmt::format(
        "Pixels are held in 16 bits on an asinh scale: to {:.2g} of the noise ({:.3g}) near the sky, {:.2g} % of "
        "bright ones",
        p.step_sky / 2, p.noise, 50 * p.step_bright);
    if (p.bin > 1) words += fmt::format("; each is the mean of {0}x{0} of the image", p.bin);
    return words + ".";
}

bool drawable(const Table& t) {
    const std::vector<const char*> wanted =
        t.name == "BLENDS"
            ? std::vector<const char*>{"BLEND_ID", "NSTARS", "XMIN_IMAGE", "YMIN_IMAGE", "XMAX_IMAGE", "YMAX_IMAGE"}
        : t.name == "SOURCES" ? std::vector<const char*>{"X_IMAGE", "Y_IMAGE"}
                              : std::vector<const char*>{""};
    return std::all_of(wanted.begin(), wanted.end(), [&](const char* c) { return t.find(c) != nullptr; });
}

// The image's, or what the boxes and stars need.
std::pair<int, int> size_of(const PageQuestion& q) {
    if (q.image) return {q.image->width, q.image->height};
    double w = 1, h = 1;
    for (const Table& t : q.catalogue.tables)
        for (auto [column, extent] :
             {std::pair{"XMAX_IMAGE", &w}, {"X_IMAGE", &w}, {"YMAX_IMAGE", &h}, {"Y_IMAGE", &h}})
            if (drawable(t) && t.find(column))
                for (const double v : t.numbers(column))
                    if (std::isfinite(v)) *extent = std::max(*extent, v + 0.5);
    return {int(std::ceil(std::min(w, 1e6))), int(std::ceil(std::min(h, 1e6)))};
}

constexpr const char* colours[classes_in_catalogue] = {"#5fd068", "#4cc9f0", "#ffd23f", "#ff9f1c", "#ff5c5c"};

std::string class_chips(const Catalogue& c) {
    std::string html;
    for (const Table& t : c.tables) {
        if (t.name != "BLENDS" || !drawable(t)) continue;
        std::int64_t count[classes_in_catalogue] = {};
        for (const double n : t.numbers("NSTARS")) ++count[int(std::clamp(n, 1.0, double(classes_in_catalogue))) - 1];
        for (int k = 0; k < classes_in_catalogue; ++k)
            html += fmt::format(
                "<label class=\"chip\" title=\"units of {0}{1} star{2}\"><input type=\"checkbox\" data-class=\"{3}\" "
                "checked><i "
                "class=\"swatch\" style=\"background:{4}\"></i>{0}{1} <span class=\"soft\">{5}</span></label>",
                k + 1, k + 1 == classes_in_catalogue ? "+" : "", k ? "s" : "", k, colours[k], count[k]);
    }
    return html;
}

std::string tools_html(const PageQuestion& q, bool boxes, bool stars) {
    std::string html = "<div class=\"tools\">" + class_chips(q.catalogue);
    if (boxes) html += "<label><input type=\"checkbox\" id=\"boxes\" checked>boxes</label>";
    if (stars) html += "<label><input type=\"checkbox\" id=\"stars\" checked>stars</label>";
    if (q.image) {
        html += "<fieldset class=\"segments\" aria-label=\"stretch\">";
        for (const char* s : {"linear", "asinh", "log"})
            html += fmt::format("<label><input type=\"radio\" name=\"stretch\" id=\"{0}\" value=\"{0}\"{1}>{0}</label>",
                                s, std::string_view(s) == "asinh" ? " checked" : "");
        html +=
            "</fieldset><label>black<input type=\"range\" id=\"black\"></label><label>white<input type=\"range\" "
            "id=\"white\"></label><label><input type=\"checkbox\" id=\"invert\">invert</label>";
    }
    return html +
           "<span><button type=\"button\" id=\"in\" aria-label=\"zoom in\">+</button> <button type=\"button\" "
           "id=\"out\" "
           "aria-label=\"zoom out\">−</button> <button type=\"button\" id=\"fit\">fit</button></span></div>";
}

std::string about_html(const Catalogue& c) {
    std::string html = "<h2 id=\"about\">About</h2><table class=\"about\">";
    for (const Card& card : c.cards) {
        if (card.key.empty() || card.key == "COMMENT") continue;
        const bool words = card.key == "HISTORY";
        html += "<tr><td>" + escape(card.key) + "</td><td>" + escape(words ? card.comment : to_text(card.value)) +
                "</td><td class=\"soft\">" + escape(words ? "" : card.comment) + "</td></tr>";
    }
    return html + "</table>";
}

constexpr const char* keys_html =
    "<h2 id=\"keys\">Keys</h2><p><kbd>n</kbd> <kbd>p</kbd> next and previous unit · arrows move · <kbd>+</kbd> "
    "<kbd>-</kbd> "
    "<kbd>0</kbd> zoom in, out, fit · <kbd>1</kbd> <kbd>2</kbd> <kbd>3</kbd> linear, asinh, log · <kbd>i</kbd> invert "
    "· "
    "<kbd>b</kbd> boxes · <kbd>s</kbd> stars · <kbd>Esc</kbd> nothing selected. The address names what is selected: "
    "<code>#unit=12</code>, <code>#star=5</code>.</p>";

// A "<" in data can't end the script that holds it.
std::string safe(const Json& json) {
    std::string text;
    for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace))
        text += c == '<' ? std::string("\\u003c") : std::string(1, c);
    return text;
}

}  // namespace

CataloguePage catalogue_page(const PageQuestion& q) {
    CataloguePage page;
    const auto [width, height] = size_of(q);
    Json data{{"size", {{"width", width}, {"height", height}}}, {"unit", q.unit}, {"tables", Json::array()}};
    for (const FlagMeaning& m : flag_meanings()) data["flags"].push_back({m.bit, m.words});
    if (q.image) {
        const PackedPixels pixels = pack_pixels(q.image->pixels, width, height, q.most_bytes * 3 / 4);
        page.words = depth_in_words(pixels);
        data["pixels"] = pixels_json(pixels);
        if (q.psf) data["psf"] = packed_psf(*q.psf);
        if (q.psf && q.psf_varies) page.words += " Models and residuals are drawn with the PSF of the image's middle.";
    }
    if (q.wcs) data["sky"] = packed_sky(*q.wcs, width, height);
    const std::string below = "<div class=\"below\">" + histograms_html(q.catalogue) + completeness_html(q.catalogue) +
                              flags_html(q.catalogue) + keys_html + about_html(q.catalogue);
    std::vector<const Table*> shown;
    for (const Table& t : q.catalogue.tables)
        if (drawable(t)) shown.push_back(&t);
    std::size_t used = below.size() + safe(data).size() + 60000;  // scripts, style, and room to spare
    bool has[2] = {};
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const std::size_t left = q.most_bytes > used ? q.most_bytes - used : 0;
        Json table = packed_table(*shown[i], left / (shown.size() - i));
        if (table["rows"] < table["of"])
            page.words += fmt::format(" Of the {} rows of {} the brightest {} are shown.",
                                      table["of"].get<std::size_t>(), shown[i]->name, table["rows"].get<std::size_t>());
        used += table["data"].get_ref<const std::string&>().size() + 4000;
        has[shown[i]->name == "SOURCES"] = true;
        data["tables"].push_back(std::move(table));
    }
    std::string& html = page.html;
    html =
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width, "
        "initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>" +
        escape(q.title) + "</title><style>" + report_style + embedded(embedded_styles(), "page") +
        "</style></head><body class=\"catalogue\"><div class=\"viewer\"><header><h1>" + escape(q.title) + "</h1>" +
        tools_html(q, has[0], has[1]) +
        "</header><div class=\"stage\"><canvas id=\"view\" tabindex=\"0\" aria-label=\"the image with boxes and stars; "
        "keys are "
        "listed below\"></canvas></div><aside id=\"details\" aria-live=\"polite\"></aside><footer id=\"readout\">Hold "
        "the pointer "
        "over the image; scroll to zoom, drag to move, click a box or a star.</footer></div>" +
        below + "<p>" + escape(page.words) + "</p></div><script type=\"application/json\" id=\"data\">" + safe(data) +
        "</script><script type=\"module\">";
    for (const char* part : {"unpack", "view", "details", "page"}) html += embedded(embedded_scripts(), part);
    html += "</script></body></html>\n";
    return page;
}

}  // namespace star
