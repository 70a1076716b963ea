// Counting what was matched and what chance would match, and the rates of the counts.
#include "tools/score.h"

#include <cmath>

#include "tools/score_match.h"

namespace star {
namespace {

// Whole px; lengths 5.1 to 14.3 px, eight directions at different distances, so that no regular pattern of the field
// (units keep 8 px apart) repeats under all of them.
constexpr std::array<Offset, chance_shifts> offsets{
    {{5, 1}, {5, 6}, {-2, 9}, {-7, 8}, {-12, -1}, {-9, -10}, {3, -14}, {4, -4}}};

// How far a place must move to come back into [0, size) on the other side.
double wrap(double at, int size) { return -size * std::floor(at / size); }

double ratio(double a, double b) { return b > 0 ? a / b : not_known; }

}  // namespace

Offset chance_offset(int n) { return offsets[std::size_t(n)]; }

void Tally::add(const Tally& other, std::int64_t times) {
    for (std::size_t i = 0; i < matrix.size(); ++i)
        for (std::size_t j = 0; j < matrix.size(); ++j) matrix[i][j] += times * other.matrix[i][j];
    stars_expected += double(times) * other.stars_expected, stars_true += times * other.stars_true;
    units_left_out += times * other.units_left_out, found_left_out += times * other.found_left_out;
}

Tally tally_of(const std::vector<Wanted>& wanted, const std::vector<Found>& found, const Matches& matches) {
    Tally t;
    for (const int i : matches.order) {
        const int unit = matches.unit[std::size_t(i)];
        const Found& f = found[std::size_t(i)];
        if (unit == Matches::left_out) {
            ++t.found_left_out;
            continue;
        }
        const int truth = unit >= 0 ? wanted[std::size_t(unit)].label : nothing_there;
        ++t.matrix[std::size_t(truth)][std::size_t(f.label)];
        t.stars_expected += f.expected_stars;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (matches.found[i] == Matches::left_out) {
            ++t.units_left_out;
            continue;
        }
        t.stars_true += wanted[i].stars;
        if (matches.found[i] == Matches::none) ++t.matrix[std::size_t(wanted[i].label)][nothing_there];
    }
    return t;
}

std::vector<Found> shifted(const ScoredField& field, int n) {
    const Offset by = chance_offset(n);
    std::vector<Found> moved = field.found;
    for (Found& f : moved) {
        const double dx = by.x + wrap(f.x + by.x, field.width), dy = by.y + wrap(f.y + by.y, field.height);
        f.x += dx, f.y += dy;
        f.box = {float(f.box.x0 + dx), float(f.box.y0 + dy), float(f.box.x1 + dx), float(f.box.y1 + dy)};
    }
    return moved;
}

Tally score_field(const ScoredField& field, const MatchRule& rule) {
    return tally_of(field.wanted, field.found, Matcher(field, rule).match(field.found));
}

Tally score_by_chance(const ScoredField& field, const MatchRule& rule) {
    const Matcher matcher(field, rule);
    Tally sum;
    for (int n = 0; n < chance_shifts; ++n) {
        const auto moved = shifted(field, n);
        sum += tally_of(field.wanted, moved, matcher.match(moved));
    }
    return sum;
}

Scores scores_of(const Tally& t) {
    constexpr std::size_t n = classes_scored;
    Scores s;
    std::int64_t units = 0, found = 0, missed = 0, noise = 0, matched = 0, right = 0, off_by_one = 0, distance = 0;
    double recalls = 0;
    int classes = 0;
    for (std::size_t i = 0; i < n; ++i) {
        std::int64_t row = 0, column = 0;
        for (std::size_t j = 0; j <= n; ++j) row += t.matrix[i][j], column += t.matrix[j][i];
        for (std::size_t j = 0; j < n; ++j) {
            const auto off = std::int64_t(i > j ? i - j : j - i);
            matched += t.matrix[i][j], distance += off * t.matrix[i][j];
            if (off == 1) off_by_one += t.matrix[i][j];
        }
        right += t.matrix[i][i], missed += t.matrix[i][n], noise += t.matrix[n][i], units += row, found += column;
        s.precision[i] = ratio(double(t.matrix[i][i]), double(column));
        s.recall[i] = ratio(double(t.matrix[i][i]), double(row));
        s.f1[i] = ratio(2 * double(t.matrix[i][i]), double(row + column));
        if (row > 0) recalls += s.recall[i], ++classes;
    }
    s.missed = ratio(double(missed), double(units));
    s.false_alarms = ratio(double(noise), double(found));
    s.balanced_accuracy = ratio(recalls, classes);
    s.class_accuracy = ratio(double(right), double(matched));
    s.mean_error = ratio(double(distance), double(matched));
    s.within_one = ratio(double(off_by_one), double(matched - right));
    s.star_bias = ratio(t.stars_expected, double(t.stars_true));
    return s;
}

}  // namespace star
