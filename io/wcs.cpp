// Wcs over WCSLIB: see wcs.h.
#include "io/wcs.h"

#include <wcslib/wcs.h>
#include <wcslib/wcserr.h>
#include <wcslib/wcshdr.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>
#include <vector>

#include "kernels/check.h"

namespace star {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double degree = std::numbers::pi / 180;

/// The header parser and wcsset() keep state of the whole library.
std::mutex& wcslib_lock() {
    static std::mutex lock;
    return lock;
}

/// The number that ends `key` after `stem`, or -1.
int index_after(std::string_view key, std::string_view stem) {
    if (key.size() <= stem.size() || key.size() > stem.size() + 3 || key.substr(0, stem.size()) != stem) return -1;
    int value = 0;
    for (const char c : key.substr(stem.size())) {
        if (c < '0' || c > '9') return -1;
        value = 10 * value + (c - '0');
    }
    return value;
}

bool is_one_of(std::string_view key, std::initializer_list<const char*> list) {
    return std::any_of(list.begin(), list.end(), [&](const char* k) { return key == k; });
}

/// Cards with a number that WCSLIB needs for two celestial axes.
bool numeric_card(std::string_view key) {
    if (is_one_of(key,
                  {"CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2", "CROTA1", "CROTA2", "CD1_1", "CD1_2",
                   "CD2_1", "CD2_2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "LONPOLE", "LATPOLE", "EQUINOX"}))
        return true;
    for (const char* stem : {"PV1_", "PV2_"})
        if (const int m = index_after(key, stem); m >= 0 && m <= 39) return true;  // TPV's last is 39
    return false;
}

/// A_p_q, B_p_q, AP_p_q, BP_p_q with p + q up to the order.
bool sip_card(std::string_view key, std::string_view stem, int order) {
    if (key.size() != stem.size() + 4 || key.substr(0, stem.size()) != stem || key[stem.size()] != '_' ||
        key[stem.size() + 2] != '_')
        return false;
    const int p = key[stem.size() + 1] - '0', q = key[stem.size() + 3] - '0';
    return p >= 0 && p <= 9 && q >= 0 && q <= 9 && p + q <= order;
}

struct Cards {
    std::string text;
    int count = 0;
    void put(const Card& card) {
        for (const std::string& line : format_card(card)) text += line, ++count;
    }
    void put_number(const FitsHeader& h, const std::string& key) {
        if (const auto value = h.number(key)) put({key, *value, ""});
    }
};

/// Whether both CTYPEs make a pair of coordinates: "RA---TAN" and "DEC--TAN", in either order.
bool pair_of(const std::string& a, const std::string& b, const char* lng, const char* lat) {
    return (a.rfind(lng, 0) == 0 && b.rfind(lat, 0) == 0) || (a.rfind(lat, 0) == 0 && b.rfind(lng, 0) == 0);
}

/// SIP's orders, both or neither, or 0. 9 is the most that one digit in A_p_q can name.
int sip_order(const FitsHeader& h, const char* key) {
    const auto order = h.integer(key);
    if (order && (*order < 0 || *order > 9)) fail(Fault::input, h.where, ": ", key, " = ", *order, ": impossible");
    return int(order.value_or(0));
}

/// Whether PV cards beyond the fourth, which no TAN projection has, show SCAMP's distortions.
bool has_scamp(const FitsHeader& h) {
    return std::any_of(h.cards.begin(), h.cards.end(), [](const Card& card) {
        return std::max(index_after(card.key, "PV1_"), index_after(card.key, "PV2_")) >= 5;
    });
}

Cards wcs_cards(const FitsHeader& h, std::string ctype1, std::string ctype2) {
    Cards cards;
    const auto both_end = [&](const std::string& tail) {
        const auto ends = [&](const std::string& s) { return s.size() == 8u && s.substr(s.size() - 4) == tail; };
        return ends(ctype1) && ends(ctype2);
    };
    // The rules by which astropy sorts out headers of several dialects. SCAMP before 2012 wrote TPV as TAN; SIP beside
    // TPV is a leftover; SIP counts even where CTYPE doesn't say so; SCAMP's PV beside SIP say the same again.
    const bool scamp = has_scamp(h);
    if (scamp && both_end("-TAN")) ctype1.replace(5, 3, "TPV"), ctype2.replace(5, 3, "TPV");
    const bool sip = h.find("A_ORDER") && h.find("B_ORDER") && !both_end("-TPV");
    if (sip && both_end("-TAN")) ctype1 += "-SIP", ctype2 += "-SIP";
    cards.put({"WCSAXES", std::int64_t{2}, ""});
    cards.put({"CTYPE1", ctype1, ""});
    cards.put({"CTYPE2", ctype2, ""});
    for (const char* key : {"CUNIT1", "CUNIT2"})
        if (const auto unit = h.text(key)) {
            if (unit->size() > 20) fail(Fault::input, h.where, ": ", key, " = '", *unit, "': no unit of angle");
            if (!unit->empty()) cards.put({key, *unit, ""});
        }
    std::vector<std::string> done;
    const auto put_once = [&](const std::string& key) {
        if (std::find(done.begin(), done.end(), key) != done.end()) return;
        done.push_back(key);
        cards.put_number(h, key);
    };
    const bool has_cd = h.find("CD1_1") || h.find("CD1_2") || h.find("CD2_1") || h.find("CD2_2");
    for (const Card& card : h.cards) {
        const std::string& key = card.key;
        if (!numeric_card(key)) continue;
        // Beside CD, CDELT and CROTA are leftovers.
        if (has_cd && (key.rfind("CDELT", 0) == 0 || key.rfind("CROTA", 0) == 0 || key.rfind("PC", 0) == 0)) continue;
        if (sip && scamp && key.rfind("PV", 0) == 0) continue;
        put_once(key);
    }
    if (sip)
        for (const char* stem : {"A", "B", "AP", "BP"}) {
            const std::string order_key = std::string(stem) + "_ORDER";
            if (!h.find(order_key)) continue;
            const int order = sip_order(h, order_key.c_str());
            cards.put({order_key, std::int64_t{order}, ""});
            for (const Card& card : h.cards)
                if (sip_card(card.key, stem, order)) put_once(card.key);
        }
    cards.text += "END" + std::string(77, ' ');
    return cards;
}

std::string frame_of(const FitsHeader& h) {
    for (const char* key : {"RADESYS", "RADECSYS"})
        if (auto frame = h.text(key); frame && !frame->empty()) return *frame;
    const auto equinox = h.number("EQUINOX");
    return !equinox ? "ICRS" : *equinox < 1984 ? "FK4" : "FK5";  // FITS standard 4.0, table 25
}

// ICRS to galactic: the rotations by the angles 192.85948, 27.12825 and 32.93192 degrees that define it (Hipparcos
// catalogue, ESA SP-1200, volume 1, section 1.5.3), multiplied out: the published ten digits would cost 10^-5 px.
constexpr double galactic[3][3] = {{-0.05487556041621537, -0.8734370902348850, -0.4838350155487132},
                                   {+0.4941094278755837, -0.4448296299600112, +0.7469822444972189},
                                   {-0.8676661490190047, -0.1980763734312015, +0.4559837761750669}};

SkyPosition turn(SkyPosition p, bool to_galactic) {
    const double v[3] = {std::cos(p.dec * degree) * std::cos(p.ra * degree),
                         std::cos(p.dec * degree) * std::sin(p.ra * degree), std::sin(p.dec * degree)};
    double w[3] = {};
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) w[i] += (to_galactic ? galactic[i][j] : galactic[j][i]) * v[j];
    double longitude = std::atan2(w[1], w[0]) / degree;
    if (longitude < 0) longitude += 360;
    return {longitude, std::atan2(w[2], std::hypot(w[0], w[1])) / degree};
}

}  // namespace

struct Wcs::State {
    State() { wcs.flag = -1; }
    ~State() { wcsfree(&wcs); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    std::unique_ptr<State> copy() const {
        const std::scoped_lock guard(lock, wcslib_lock());
        auto other = std::make_unique<State>();
        // With an allocation of its own; wcssub is declared without const but only reads.
        if (wcssub(1, const_cast<wcsprm*>(&wcs), nullptr, nullptr, &other->wcs) || wcsset(&other->wcs))
            fail(Fault::device, "not enough memory for a WCS");
        other->frame = frame, other->is_galactic = is_galactic;
        return other;
    }

    mutable std::mutex lock;  // of wcs, whose distortions use scratch memory of their own
    mutable wcsprm wcs{};
    std::string frame;
    bool is_galactic = false;
};

Wcs::Wcs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Wcs::Wcs(const Wcs& other) : state_(other.state_->copy()) {}
Wcs& Wcs::operator=(const Wcs& other) {
    if (this != &other) state_ = other.state_->copy();
    return *this;
}
Wcs::Wcs(Wcs&&) noexcept = default;
Wcs& Wcs::operator=(Wcs&&) noexcept = default;
Wcs::~Wcs() = default;

std::optional<Wcs> Wcs::from_header(const FitsHeader& header) {
    const std::string ctype1 = header.text("CTYPE1").value_or(""), ctype2 = header.text("CTYPE2").value_or("");
    const bool equatorial = pair_of(ctype1, ctype2, "RA--", "DEC-"),
               is_galactic = pair_of(ctype1, ctype2, "GLON", "GLAT");
    if (!equatorial && !is_galactic) return {};
    if (ctype1.size() > 20 || ctype2.size() > 20)
        fail(Fault::input, header.where, ": CTYPE1, CTYPE2: no known projection");
    Cards cards = wcs_cards(header, ctype1, ctype2);
    auto state = std::make_unique<State>();
    state->frame = is_galactic ? "ICRS" : frame_of(header);
    state->is_galactic = is_galactic;
    const std::lock_guard guard(wcslib_lock());
    int rejected = 0, found = 0;
    wcsprm* list = nullptr;
    // WCSHDR_CROTAia and the like as astropy: everything that is in use. Nothing is printed (control 0).
    int bad = wcspih(cards.text.data(), cards.count, WCSHDR_all, 0, &rejected, &found, &list);
    if (!bad && found > 0) {
        bad = wcssub(1, &list[0], nullptr, nullptr, &state->wcs);
        if (!bad) bad = wcsset(&state->wcs);
    }
    wcsvfree(&found, &list);
    const wcsprm& w = state->wcs;
    if (bad || w.naxis != 2 || w.lng < 0 || w.lat < 0)
        fail(Fault::input, header.where, ": CTYPE1 = '", ctype1, "', CTYPE2 = '", ctype2, "': not a valid WCS",
             bad > 0 && bad < 14 ? std::string(" (") + wcs_errmsg[bad] + ")" : "");
    return Wcs(std::move(state));
}

SkyPosition Wcs::to_sky(PixelPosition pixel) const {
    const double pixcrd[2] = {pixel.x, pixel.y};
    double imgcrd[2], phi, theta, world[2];
    int status = 0;
    SkyPosition sky{nan, nan};
    {
        const std::lock_guard guard(state_->lock);
        if (wcsp2s(&state_->wcs, 1, 2, pixcrd, imgcrd, &phi, &theta, world, &status) || status) return sky;
        if (!std::isfinite(world[0]) || !std::isfinite(world[1])) return sky;
        sky = {world[state_->wcs.lng], world[state_->wcs.lat]};
    }
    if (state_->is_galactic) sky = turn(sky, false);
    sky.ra -= 360 * std::floor(sky.ra / 360);
    return sky;
}

PixelPosition Wcs::to_pixel(SkyPosition sky) const {
    if (state_->is_galactic) sky = turn(sky, true);
    double world[2], imgcrd[2], phi, theta, pixcrd[2];
    int status = 0;
    const std::lock_guard guard(state_->lock);
    world[state_->wcs.lng] = sky.ra, world[state_->wcs.lat] = sky.dec;
    if (wcss2p(&state_->wcs, 1, 2, world, &phi, &theta, imgcrd, pixcrd, &status) || status ||
        !std::isfinite(pixcrd[0]) || !std::isfinite(pixcrd[1]))
        return {nan, nan};
    return {pixcrd[0], pixcrd[1]};
}

const std::string& Wcs::frame() const { return state_->frame; }

double Wcs::pixel_scale() const {
    const std::lock_guard guard(state_->lock);
    const wcsprm& w = state_->wcs;
    // wcsset() leaves the whole linear part in pc and cdelt, in degrees.
    const double area = (w.pc[0] * w.pc[3] - w.pc[1] * w.pc[2]) * w.cdelt[0] * w.cdelt[1];
    return std::sqrt(std::fabs(area)) * 3600;
}

}  // namespace star
