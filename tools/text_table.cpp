// Lines to cells, cells to numbers.
#include "tools/text_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "kernels/check.h"
#include "tools/ecsv_header.h"

namespace star {
namespace {

constexpr std::uintmax_t largest = std::uintmax_t{1} << 30;
constexpr std::size_t most_columns = 10000;

bool blank(char c) { return c == ' ' || c == '\t'; }

std::string trimmed(std::string s) {
    while (!s.empty() && (blank(s.back()) || s.back() == '\r')) s.pop_back();
    s.erase(0, std::size_t(std::find_if(s.begin(), s.end(), [](char c) { return !blank(c); }) - s.begin()));
    return s;
}

// The cells of a line. separator ' ': any number of blanks and tabs.
std::vector<std::string> split(const std::string& line, char separator) {
    std::vector<std::string> cells;
    std::string cell;
    bool quoted = false, any = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"') {
            const bool doubled = quoted && i + 1 < line.size() && line[i + 1] == '"';
            if (doubled)
                cell += line[++i];
            else
                quoted = !quoted, any = true;
        } else if (!quoted && (separator == ' ' ? blank(c) : c == separator)) {
            if (separator != ' ' || any || !cell.empty()) cells.push_back(trimmed(cell));
            cell.clear(), any = false;
        } else {
            cell += c;
        }
    }
    if (separator != ' ' || any || !cell.empty()) cells.push_back(trimmed(cell));
    return cells;
}

double number_in(const std::string& cell) {
    double v = NAN;
    const char* first = cell.data() + (cell.size() > 1 && cell[0] == '+');
    const auto [end, error] = std::from_chars(first, cell.data() + cell.size(), v);
    return error == std::errc() && end == cell.data() + cell.size() ? v : NAN;
}

// A column while it is read: its texts are kept as long as it has no number.
class Cells {
public:
    void declare(const EcsvColumn& c) { declared_ = c, any_number_ = c.type != "string"; }
    void add(const std::string& cell) {
        std::int64_t whole = 0;
        const char *first = cell.data() + (cell.size() > 1 && cell[0] == '+'), *last = cell.data() + cell.size();
        const auto [end, error] = std::from_chars(first, last, whole);
        integers_ = integers_ && error == std::errc() && end == last;
        if (integers_) integer_.push_back(whole);
        numbers_.push_back(number_in(cell));
        if (declared_.type == "bool" && !cell.empty())
            numbers_.back() = cell == "True" || cell == "true" || cell == "1";
        if (declared_.type.empty() && numeric(cell)) any_number_ = true, texts_ = {};
        if (!any_number_) texts_.push_back(cell), any_text_ = any_text_ || !cell.empty();
    }
    Column column(const std::string& name) && {
        Column c{name, declared_.unit, declared_.comment, declared_.ucd, "", {}};
        const std::string& type = declared_.type;
        if (type == "string" || (type.empty() && any_text_ && !any_number_))
            c.data = std::move(texts_);
        else if (type == "float32" || type == "float16")
            c.data = std::vector<float>(numbers_.begin(), numbers_.end());
        else if (type == "bool" &&
                 std::none_of(numbers_.begin(), numbers_.end(), [](double v) { return std::isnan(v); }))
            c.data = std::vector<std::int32_t>(numbers_.begin(), numbers_.end());
        else if (integers_ && !integer_.empty() && !type.starts_with("float"))
            c.data = narrowest();
        else
            c.data = std::move(numbers_);
        return c;
    }

private:
    static bool numeric(const std::string& cell) {
        return !std::isnan(number_in(cell)) || cell == "nan" || cell == "NaN" || cell == "NAN";
    }
    ColumnData narrowest() {
        using Int = std::numeric_limits<std::int32_t>;
        const auto fits = [](std::int64_t v) { return v >= Int::min() && v <= Int::max(); };
        if (declared_.type.ends_with("64") || !std::all_of(integer_.begin(), integer_.end(), fits))
            return std::move(integer_);
        return std::vector<std::int32_t>(integer_.begin(), integer_.end());
    }

    EcsvColumn declared_;
    std::vector<double> numbers_;
    std::vector<std::int64_t> integer_;
    std::vector<std::string> texts_;
    bool integers_ = true, any_number_ = false, any_text_ = false;
};

struct Reader {
    const std::string& file;
    std::ifstream in;
    std::int64_t number = 0;  // of the line

    [[noreturn]] void complain(const std::string& what) const { fail(Fault::input, file, ":", number, ": ", what); }
    bool next(std::string& line) {
        if (!std::getline(in, line)) return false;
        ++number;
        if (line.find('\0') != std::string::npos) complain("not a text");
        line = trimmed(line);
        return true;
    }
};

// "5 X_IMAGE Object position [pixel]" after the #: number and name; 0 if the line is no such thing.
std::pair<int, std::string> column_line(const std::string& line) {
    const auto words = split(line.substr(1), ' ');
    if (words.size() < 2) return {0, ""};
    const double n = number_in(words[0]);
    return n >= 1 && n <= double(most_columns) && n == std::floor(n) ? std::pair(int(n), words[1])
                                                                     : std::pair(0, std::string());
}

// What ECSV's header says of the columns that its line of names then lists again.
void declare(std::vector<Cells>& cells, const std::vector<std::string>& names, EcsvHeader header, Table& table,
             const Reader& reader) {
    if (header.columns.size() != names.size())
        reader.complain(std::to_string(names.size()) + " names, but the header has " +
                        std::to_string(header.columns.size()) + " columns");
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (header.columns[i].name != names[i])
            reader.complain("column " + names[i] + ", but the header calls it " + header.columns[i].name);
        cells[i].declare(header.columns[i]);
    }
    for (Card& c : header.cards)
        if (c.key == "EXTNAME")
            table.name = to_text(c.value);
        else
            table.cards.push_back(std::move(c));
}

}  // namespace

TextTable read_text_table(const std::string& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) fail(Fault::input, file, ": no such file");
    if (std::filesystem::file_size(file, error) > largest) fail(Fault::input, file, ": larger than 1 GB");
    Reader reader{file, std::ifstream(file, std::ios::binary)};
    TextTable t{{}, TextFormat::csv};
    std::vector<std::string> names;
    std::vector<Cells> values;
    std::string header;  // ECSV's, without #
    char separator = 0;
    std::string line;
    while (reader.next(line)) {
        if (line.empty()) continue;
        if (line[0] == '#') {
            if (t.format == TextFormat::ecsv && values.empty())
                header += line.substr(std::min<std::size_t>(line.size(), 2)) + "\n";
            if (line.find("%ECSV") != std::string::npos) t.format = TextFormat::ecsv;
            const auto [n, name] = column_line(line);
            if (n == 0 || t.format == TextFormat::ecsv || !values.empty()) continue;
            t.format = TextFormat::ascii_head;
            names.resize(std::max(names.size(), std::size_t(n)));
            names[std::size_t(n) - 1] = name;
            continue;
        }
        const bool head = t.format == TextFormat::ascii_head;
        if (separator == 0) {
            separator = head || line.find_first_of(",;\t") == std::string::npos ? ' '
                        : line.find(',') != std::string::npos                   ? ','
                        : line.find(';') != std::string::npos                   ? ';'
                                                                                : '\t';
            const auto cells = split(line, separator);
            if (cells.size() > most_columns) reader.complain("more than 10000 columns");
            if (!head)
                names = cells;
            else
                names.resize(std::max(names.size(), cells.size()));
            values.resize(names.size());
            if (t.format == TextFormat::ecsv) declare(values, names, parse_ecsv_header(header, file), t.table, reader);
            if (!head) continue;
        }
        const auto cells = split(line, separator);
        if (cells.size() != names.size())
            reader.complain(std::to_string(cells.size()) + " values for " + std::to_string(names.size()) + " columns");
        for (std::size_t i = 0; i < cells.size(); ++i) values[i].add(cells[i]);
    }
    if (names.empty()) fail(Fault::input, file, ": no column: not a table");
    values.resize(names.size());
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i].empty()) continue;
        if (!seen.insert(names[i]).second) fail(Fault::input, file, ": two columns ", names[i].substr(0, 60));
        t.table.columns.push_back(std::move(values[i]).column(names[i]));
    }
    if (t.table.columns.empty()) fail(Fault::input, file, ": no column has a name: not a table");
    t.table.file = file;
    return t;
}

}  // namespace star
