// Text around text.
#include "tools/report_html.h"

#include "tools/report_plot.h"
#include "tools/report_style.h"

namespace star {

std::string cell(const std::string& text) { return "<td>" + escape(text) + "</td>"; }
std::string head_cell(const std::string& text) { return "<th>" + escape(text) + "</th>"; }
std::string beside(const std::string& left, const std::string& right) {
    return "<div class=\"row\"><div class=\"panel\">" + left + "</div><div class=\"scroll\">" + right + "</div></div>";
}
std::string html_page(const std::string& title, const std::string& body) {
    return "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>starblend: " +
           escape(title) + "</title><style>" + report_style + "</style></head><body>" + body + "</body></html>\n";
}

}  // namespace star
