#include "domain/placement.hpp"

#include <algorithm>
#include <unordered_map>

namespace shop::order {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }

// SKUs travel in the query of a call, joined by commas: only characters that need no escape there.
bool is_sku(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

bool is_code(std::string_view text, std::size_t letters) {
  return text.size() == letters && std::all_of(text.begin(), text.end(), is_upper);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

class checker {
 public:
  explicit checker(std::vector<defect>& defects) : defects_(defects) {}

  void add(std::string field, std::string detail) { defects_.push_back({std::move(field), std::move(detail)}); }

  void text(std::string_view field, std::string_view value, std::size_t max) {
    if (value.empty() || value.size() > max || has_control(value)) {
      add(std::string(field), "must be a text of 1 to " + std::to_string(max) + " bytes without control characters");
    }
  }
  void optional_text(std::string_view field, std::string_view value, std::size_t max) {
    if (!value.empty()) text(field, value, max);
  }

 private:
  std::vector<defect>& defects_;
};

void check_line(checker& check, const wanted_line& line, std::size_t index) {
  const std::string path = "lines[" + std::to_string(index) + "]";
  if (!is_sku(line.sku)) check.add(path + ".sku", "must be 1 to 64 letters, digits, '-', '_' or '.'");
  if (!line.quantity) {
    check.add(path + ".quantity", "must be an integer from 1 to 1000");
  } else if (*line.quantity < 1 || *line.quantity > max_quantity) {
    check.add(path + ".quantity", "must be 1 to 1000, found " + std::to_string(*line.quantity));
  }
}

void check_lines(checker& check, const std::vector<wanted_line>& lines) {
  if (lines.empty() || lines.size() > max_lines) {
    check.add("lines", "must be a list of 1 to 100 lines, found " + std::to_string(lines.size()));
    return;
  }
  for (std::size_t i = 0; i < lines.size(); ++i) check_line(check, lines[i], i);
  std::unordered_map<std::string_view, std::size_t> first;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto [at, fresh] = first.emplace(lines[i].sku, i);
    if (fresh || lines[i].sku.empty()) continue;
    check.add("lines[" + std::to_string(i) + "].sku",
              "repeats " + std::string(lines[i].sku) + " of lines[" + std::to_string(at->second) + "]");
  }
}

void check_address(checker& check, const postal_address& address) {
  check.text("shippingAddress.name", address.name, 200);
  check.text("shippingAddress.line1", address.line1, 200);
  check.optional_text("shippingAddress.line2", address.line2, 200);
  check.text("shippingAddress.city", address.city, 100);
  check.optional_text("shippingAddress.region", address.region, 100);
  check.text("shippingAddress.postalCode", address.postal_code, 20);
  if (!is_code(address.country, 2)) {
    check.add("shippingAddress.country", "must be an ISO 3166-1 code of two capital letters, such as DE");
  }
}

}  // namespace

bool looks_like_card_number(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    if (is_digit(c)) {
      ++digits;
    } else if (c != ' ' && c != '-') {
      return false;
    }
  }
  return digits >= 12 && digits <= 19;
}

std::vector<defect> validate(const wanted_order& wanted) {
  std::vector<defect> defects;
  checker check(defects);
  check.text("customerId", wanted.customer_id, 128);
  check_lines(check, wanted.lines);
  check_address(check, wanted.address);
  if (looks_like_card_number(wanted.token)) {
    check.add("paymentMethod.token", "must be a token of the payment provider, never a card number");
  } else {
    check.text("paymentMethod.token", wanted.token, 128);
  }
  if (!is_code(wanted.currency, 3)) {
    check.add("currency", "must be an ISO 4217 code of three capital letters, such as EUR");
  }
  check.optional_text("voucher", wanted.voucher, 64);
  return defects;
}

}  // namespace shop::order
