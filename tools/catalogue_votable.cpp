// Cards, columns and rows to XML.
#include "tools/catalogue_votable.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "tools/catalogue_text.h"
#include "tools/report_plot.h"

namespace star {
namespace {

struct Range {
    const char* ucd;  // that the column's begins with
    const char *low, *high;
};
constexpr Range ranges[] = {{"stat.probability", "0", "1"}, {"pos.eq.ra", "0", "360"}, {"pos.eq.dec", "-90", "90"}};

// The XML ID of a table's COOSYS: it begins with a letter.
std::string frame_id(const Table& t) {
    std::string id = t.name + ".frame";
    for (char& c : id)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '_';
    return std::isalpha(static_cast<unsigned char>(id[0])) ? id : "t" + id;
}

bool ascii(const std::vector<std::string>& texts) {
    return std::all_of(texts.begin(), texts.end(), [](const std::string& t) {
        return std::all_of(t.begin(), t.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    });
}

std::string data_type(const ColumnData& data) {
    static constexpr const char* types[] = {"double", "float", "int", "long"};
    if (const auto* text = std::get_if<std::vector<std::string>>(&data))
        return std::string(ascii(*text) ? "char" : "unicodeChar") + "\" arraysize=\"*";
    return types[data.index()];
}

// TDISP's "F10.3": how many characters, how many of them decimals.
std::string width_and_precision(const std::string& tdisp) {
    if (tdisp.size() < 2 || tdisp.find_first_not_of("0123456789.", 1) != std::string::npos) return "";
    const std::size_t point = tdisp.find('.');
    std::string text = " width=\"" + tdisp.substr(1, point - 1) + "\"";
    if (point != std::string::npos && (tdisp[0] == 'F' || tdisp[0] == 'E'))
        text += " precision=\"" + std::string(1, tdisp[0]) + tdisp.substr(point + 1) + "\"";
    return text;
}

std::string field(const Table& t, const Column& c, bool framed) {
    std::string xml = fmt::format("<FIELD name=\"{}\" datatype=\"{}\"", escape(c.name), data_type(c.data));
    if (!c.unit.empty()) xml += " unit=\"" + escape(c.unit) + "\"";
    if (!c.ucd.empty()) xml += " ucd=\"" + escape(c.ucd) + "\"";
    if (framed && c.ucd.starts_with("pos.eq.")) xml += " ref=\"" + frame_id(t) + "\"";
    xml += width_and_precision(c.format) + ">";
    if (!c.comment.empty()) xml += "<DESCRIPTION>" + escape(c.comment) + "</DESCRIPTION>";
    for (const Range& r : ranges)
        if (c.ucd.starts_with(r.ucd))
            xml += fmt::format("<VALUES><MIN value=\"{}\"/><MAX value=\"{}\"/></VALUES>", r.low, r.high);
    return xml + "</FIELD>\n";
}

std::string infos(const std::vector<Card>& cards) {
    std::string xml;
    for (const Card& c : cards) {
        if (c.key.empty()) continue;
        const bool words = c.key == "HISTORY" || c.key == "COMMENT";
        xml +=
            fmt::format("<INFO name=\"{}\" value=\"{}\"", escape(c.key), escape(words ? c.comment : to_text(c.value)));
        xml += words || c.comment.empty() ? "/>\n" : ">" + escape(c.comment) + "</INFO>\n";
    }
    return xml;
}

// The vocabulary's name of a frame that RADESYS names, and its equinox; nothing for others.
std::optional<std::string> frame_of(const Table& t) {
    for (const Card& c : t.cards)
        if (c.key == "RADESYS") {
            const std::string name = to_text(c.value);
            if (name == "ICRS") return "system=\"ICRS\"";
            if (name == "FK5") return "system=\"eq_FK5\" equinox=\"J2000\"";
            if (name == "FK4") return "system=\"eq_FK4\" equinox=\"B1950\"";
        }
    return {};
}

std::string rows_of(const Table& t) {
    std::string xml = "<DATA><TABLEDATA>\n";
    for (std::size_t row = 0; row < t.rows(); ++row) {
        xml += "<TR>";
        for (const Column& c : t.columns) {
            xml += "<TD>";
            if (const auto* text = std::get_if<std::vector<std::string>>(&c.data))
                xml += escape((*text)[row]);
            else
                append_value(xml, c.data, row, "NaN");
            xml += "</TD>";
        }
        xml += "</TR>\n";
    }
    return xml + "</TABLEDATA></DATA>\n";
}

}  // namespace

std::string votable_text(const Catalogue& catalogue) {
    std::string xml =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VOTABLE version=\"1.4\" "
        "xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">\n<RESOURCE type=\"results\" name=\"starblend\">\n";
    for (const Table& t : catalogue.tables)
        if (const auto frame = frame_of(t)) xml += "<COOSYS ID=\"" + frame_id(t) + "\" " + *frame + "/>\n";
    xml += infos(catalogue.cards);
    for (const Table& t : catalogue.tables) {
        xml += fmt::format("<TABLE name=\"{}\" nrows=\"{}\">\n", escape(t.name), t.rows());
        for (const Column& c : t.columns) xml += field(t, c, frame_of(t).has_value());
        xml += rows_of(t) + infos(t.cards) + "</TABLE>\n";
    }
    return xml + "</RESOURCE>\n</VOTABLE>\n";
}

}  // namespace star
