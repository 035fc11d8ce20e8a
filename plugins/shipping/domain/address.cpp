#include "domain/address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace shipping {
namespace {

// All assigned codes in order, for a binary search.
constexpr std::string_view country_codes =
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZ"
    "DEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJM"
    "JOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONP"
    "NRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTO"
    "TRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

struct postal_form {
  std::string_view country;
  std::string_view forms;  // alternatives with '|'; N digit, A letter, anything else stands for itself
};

constexpr std::array<postal_form, 44> postal_forms = {{
    {"AT", "NNNN"},
    {"AU", "NNNN"},
    {"BE", "NNNN"},
    {"BG", "NNNN"},
    {"BR", "NNNNN-NNN"},
    {"CA", "ANA NAN"},
    {"CH", "NNNN"},
    {"CN", "NNNNNN"},
    {"CY", "NNNN"},
    {"CZ", "NNN NN"},
    {"DE", "NNNNN"},
    {"DK", "NNNN"},
    {"EE", "NNNNN"},
    {"ES", "NNNNN"},
    {"FI", "NNNNN"},
    {"FR", "NNNNN"},
    {"GB", "AN NAA|ANN NAA|AAN NAA|AANN NAA|ANA NAA|AANA NAA"},
    {"GR", "NNN NN"},
    {"HR", "NNNNN"},
    {"HU", "NNNN"},
    {"IE", "ANN XXXX|DNW XXXX"},
    {"IN", "NNNNNN"},
    {"IS", "NNN"},
    {"IT", "NNNNN"},
    {"JP", "NNN-NNNN"},
    {"KR", "NNNNN"},
    {"LI", "NNNN"},
    {"LT", "LT-NNNNN|NNNNN"},
    {"LU", "NNNN"},
    {"LV", "LV-NNNN|NNNN"},
    {"MT", "AAA NNNN"},
    {"MX", "NNNNN"},
    {"NL", "NNNN AA"},
    {"NO", "NNNN"},
    {"NZ", "NNNN"},
    {"PL", "NN-NNN"},
    {"PT", "NNNN-NNN"},
    {"RO", "NNNNNN"},
    {"SE", "NNN NN"},
    {"SI", "NNNN"},
    {"SK", "NNN NN"},
    {"TR", "NNNNN"},
    {"UA", "NNNNN"},
    {"US", "NNNNN|NNNNN-NNNN"},
}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'A' && c <= 'Z'; }
bool is_separator(char c) { return c == ' ' || c == '-'; }

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

bool fits(char place, char c) {
  switch (place) {
    case 'N':
      return is_digit(c);
    case 'A':
      return is_letter(c);
    case 'X':
      return is_digit(c) || is_letter(c);
    default:
      return place == c;
  }
}

// The compact code written by one form, or nothing if it does not fit.
std::optional<std::string> written_as(std::string_view form, std::string_view compact) {
  std::string out;
  std::size_t at = 0;
  for (const char place : form) {
    if (is_separator(place)) {
      out += place;
      continue;
    }
    if (at == compact.size() || !fits(place, compact[at])) return std::nullopt;
    out += compact[at++];
  }
  if (at != compact.size()) return std::nullopt;
  return out;
}

void require(std::vector<address_fault>& faults, std::string_view field, const std::string& text, std::size_t most) {
  if (text.empty()) {
    faults.push_back({std::string(field), "must not be empty"});
  } else if (text.size() > most) {
    faults.push_back({std::string(field),
                      "must be at most " + std::to_string(most) + " bytes, found " + std::to_string(text.size())});
  }
}

}  // namespace

bool is_country(std::string_view code) {
  if (code.size() != 2) return false;
  std::size_t low = 0;
  std::size_t high = country_codes.size() / 2;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::string_view found = country_codes.substr(middle * 2, 2);
    if (found == code) return true;
    if (found < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return false;
}

std::string_view postal_code_form(std::string_view country) {
  for (const postal_form& entry : postal_forms) {
    if (entry.country == country) return entry.forms;
  }
  return {};
}

std::optional<std::string> normalise_postal_code(std::string_view country, std::string_view code) {
  std::string compact = upper(code);
  std::string_view forms = postal_code_form(country);
  if (forms.empty()) {
    const std::string kept = trimmed(compact);
    const bool plain = std::ranges::all_of(kept, [](char c) { return is_digit(c) || is_letter(c) || is_separator(c); });
    if (!plain || kept.size() > 12) return std::nullopt;
    return kept;
  }
  std::erase_if(compact, is_separator);
  while (!forms.empty()) {
    const std::size_t bar = forms.find('|');
    if (auto written = written_as(forms.substr(0, bar), compact)) return written;
    forms.remove_prefix(bar == std::string_view::npos ? forms.size() : bar + 1);
  }
  return std::nullopt;
}

checked_address check(const address& given) {
  checked_address out;
  address& clean = out.normalised;
  clean = {trimmed(given.name),   trimmed(given.line1),       trimmed(given.line2),         trimmed(given.city),
           trimmed(given.region), trimmed(given.postal_code), upper(trimmed(given.country))};
  require(out.faults, "name", clean.name, 200);
  require(out.faults, "line1", clean.line1, 200);
  if (clean.line2.size() > 200) out.faults.push_back({"line2", "must be at most 200 bytes"});
  require(out.faults, "city", clean.city, 100);
  if (clean.region.size() > 100) out.faults.push_back({"region", "must be at most 100 bytes"});
  if (!is_country(clean.country)) {
    out.faults.push_back({"country", "must be an ISO 3166-1 alpha-2 code, found \"" + clean.country + "\""});
    return out;
  }
  const std::string_view form = postal_code_form(clean.country);
  if (auto code = normalise_postal_code(clean.country, clean.postal_code)) {
    clean.postal_code = *code;
  } else {
    out.faults.push_back(
        {"postalCode",
         form.empty() ? "must be at most 12 letters, digits, spaces or hyphens, found \"" + clean.postal_code + "\""
                      : "must have the form " + std::string(form) + " in " + clean.country + ", found \"" +
                            clean.postal_code + "\""});
  }
  return out;
}

}  // namespace shipping
