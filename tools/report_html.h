// Pieces of the pages that hold numbers beside plots.
#pragma once
#include <string>

namespace star {

std::string cell(const std::string& text);
std::string head_cell(const std::string& text);
/// A plot in a panel, and what stands to its right.
std::string beside(const std::string& left, const std::string& right);
/// A whole page in report_style.h's look, its body given as HTML.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace star
