// Lays a header out as text.
#include "tools/catalogue_ldac.h"

#include <fmt/core.h>

#include "io/fits_keys.h"

namespace star {
namespace {

std::string header_text(const CatalogueImage& image, const std::vector<Card>& more) {
    std::vector<Card> cards{{"SIMPLE", true, ""},
                            {"BITPIX", std::int64_t(-32), ""},
                            {"NAXIS", std::int64_t(2), ""},
                            {"NAXIS1", std::int64_t(image.width), ""},
                            {"NAXIS2", std::int64_t(image.height), ""}};
    for (const auto* list : {&image.cards, &more})
        for (const Card& c : *list)
            if (is_passed_on(c.key)) cards.push_back(c);
    std::string text;
    for (const Card& c : cards)
        for (const std::string& line : format_card(c)) text += line;
    return text + "END" + std::string(77, ' ');
}

}  // namespace

Catalogue ldac(Catalogue c, const CatalogueImage& image) {
    Table head;
    head.name = "LDAC_IMHEAD";
    const std::string text = header_text(image, c.cards);
    head.columns = {{"Field Header Card", "", "header of the image", "", "", std::vector<std::string>{text}}};
    head.cards = {{"TDIM1", fmt::format("(80,{})", text.size() / 80), ""}};
    Table objects = std::move(c.tables.front());
    objects.name = "LDAC_OBJECTS";
    return {std::move(c.cards), {std::move(head), std::move(objects)}};
}

}  // namespace star
