// Checks a JSON value against a JSON Schema (2020-12), the part of it that configurations use: type, properties,
// required, enum, const, minimum, maximum, items, additionalProperties, pattern, minLength, maxLength, minItems,
// maxItems, exclusiveMinimum, exclusiveMaximum and default. Annotations (title, description, format, ...) are passed
// over. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::topology {

struct schema_error {
  std::string pointer;  // the value that is wrong (RFC 6901); for a missing member, the object that lacks it
  std::string found;    // quotes the value; leave it out where that is a secret
  std::string expected;
  std::string suggestion;  // may be empty
  bool about_key = false;  // `found` names a key that is missing or unknown, and quotes no value
};

struct schema_check {
  std::string json;  // the value with the schema's defaults filled in, without blanks
  std::vector<schema_error> errors;
};

// Checks and fills in defaults: of an absent member whose schema has one, also below members that are present.
// invalid: one of the texts is not JSON, or the schema is not one (a type that doesn't exist, a pattern that is no
// regular expression); the text says which.
result<schema_check> check_json(std::string_view schema, std::string_view json);

// Keywords of the schema that check_json doesn't know and so would not enforce, each once, by JSON pointer.
// invalid: the text is not JSON.
result<std::vector<std::string>> unknown_keywords(std::string_view schema);

}  // namespace gantry::topology
