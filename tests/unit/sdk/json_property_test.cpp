// What holds for every JSON text: writer and parser agree, and no bytes break the parser.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <gantry/json_writer.hpp>

#include <memory>
#include <random>

namespace {

using gantry::json_document;
using gantry::json_error;
using gantry::json_view;
using gantry::json_writer;

// A value to be written and found again.
struct value {
  enum class kind { null, boolean, integer, real, text, array, object } type = kind::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<std::pair<std::string, value>> parts;
};

// Any Unicode text, control characters and astral planes included.
std::string some_text() {
  std::string out;
  for (const auto raw : *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 0x10FFFF))) {
    const std::uint32_t code = raw % 3 == 0 ? raw % 0x80 : raw;
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return out;
}

value some_value(int depth) {
  value v;
  v.type = static_cast<value::kind>(*rc::gen::inRange(0, depth > 0 ? 7 : 5));
  switch (v.type) {
    case value::kind::null:
      break;
    case value::kind::boolean:
      v.integer = *rc::gen::inRange(0, 2);
      break;
    case value::kind::integer:
      v.integer = *rc::gen::arbitrary<std::int64_t>();
      break;
    case value::kind::real:
      v.real = *rc::gen::arbitrary<double>();
      break;
    case value::kind::text:
      v.text = some_text();
      break;
    case value::kind::array:
    case value::kind::object:
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
        v.parts.emplace_back(some_text() + "#" + std::to_string(i), some_value(depth - 1));
      }
  }
  return v;
}

void write(json_writer& out, const value& v) {
  switch (v.type) {
    case value::kind::null:
      out.null();
      break;
    case value::kind::boolean:
      out.value(v.integer != 0);
      break;
    case value::kind::integer:
      out.value(v.integer);
      break;
    case value::kind::real:
      out.value(v.real);
      break;
    case value::kind::text:
      out.value(v.text);
      break;
    case value::kind::array:
      out.array();
      for (const auto& part : v.parts) write(out, part.second);
      out.end();
      break;
    case value::kind::object:
      out.object();
      for (const auto& [name, part] : v.parts) {
        out.key(name);
        write(out, part);
      }
      out.end();
      break;
  }
}

void same(const json_view& found, const value& v) {
  switch (v.type) {
    case value::kind::null:
      RC_ASSERT(found.is_null());
      break;
    case value::kind::boolean:
      RC_ASSERT(found.boolean() == (v.integer != 0));
      break;
    case value::kind::integer:
      RC_ASSERT(found.is_int());
      RC_ASSERT(found.integer() == v.integer);
      break;
    case value::kind::real:
      RC_ASSERT(!found.is_int());
      RC_ASSERT(found.number() == v.real);
      break;
    case value::kind::text:
      RC_ASSERT(found.text() == v.text);
      break;
    case value::kind::array: {
      RC_ASSERT(found.is_array() && found.size() == v.parts.size());
      std::size_t i = 0;
      for (const json_view element : found) same(element, v.parts[i++].second);
      break;
    }
    case value::kind::object:
      RC_ASSERT(found.is_object() && found.size() == v.parts.size());
      for (const auto& [name, part] : v.parts) same(found[name], part);
      break;
  }
}

TEST(JsonProperty, WhatIsWrittenIsReadBack) {
  EXPECT_TRUE(rc::check([] {
    const value v = some_value(4);
    json_writer out;
    write(out, v);
    json_error error;
    const auto document = json_document::try_parse(out.str(), error);
    if (!document) RC_FAIL(std::string(error.what()) + " in " + out.str());
    same(document->root(), v);
  }));
}

TEST(JsonProperty, RawTextOfAValueIsThatValue) {
  EXPECT_TRUE(rc::check([] {
    const value v = some_value(3);
    json_writer inner;
    write(inner, v);
    const std::string text = "[ " + inner.str() + " ]";
    const auto outer = json_document::parse(text);
    RC_ASSERT(outer.root()[0].raw() == inner.str());
    json_writer copy;
    copy.value(outer.root()[0]);
    RC_ASSERT(copy.str() == inner.str());
  }));
}

// Whatever the bytes, the parser ends with a document or an error inside the text, and a document writes back as JSON.
void survive(const std::string& text) {
  // A copy of exactly this size, so that a sanitizer sees a read beyond it.
  const auto exact = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), exact.get());
  const std::string_view view(exact.get(), text.size());
  json_error error;
  const auto document = json_document::try_parse(view, error);
  if (document) {
    EXPECT_TRUE(json_document::try_parse(document->root().raw(), error));
  } else {
    EXPECT_LE(error.offset, text.size());
  }
}

TEST(JsonProperty, RandomBytesDoNoHarm) {
  std::mt19937 random(20260101);
  const std::string alphabet = "{}[]\",:\\u0019aeE+-.truefalsn \n\t\xC3\xA9\xED\xA0\x80\xFF";
  for (int round = 0; round < 60'000; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = round % 2 == 0 ? alphabet[random() % alphabet.size()] : static_cast<char>(random());
    survive(text);
  }
}

TEST(JsonProperty, DamagedDocumentsDoNoHarm) {
  const std::string good =
      R"({"orderId":"0190-é","lines":[{"sku":"A-1","quantity":2,"unitPrice":1250.75e-2},{"sku":"\u20ac\ud83d\ude00"}],"ok":true,"x":null})";
  std::mt19937 random(7);
  for (int round = 0; round < 40'000; ++round) {
    std::string text = good;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, text[random() % text.size()]);
      }
    }
    survive(text);
  }
}

TEST(JsonProperty, EveryPrefixIsRefused) {
  const std::string good = R"({"a":[1,-2.5e3,"x\u20ac",true,false,null,{"b":{}}]})";
  json_error error;
  ASSERT_TRUE(json_document::try_parse(good, error));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(json_document::try_parse(good.substr(0, size), error)) << size;
  }
}

}  // namespace
