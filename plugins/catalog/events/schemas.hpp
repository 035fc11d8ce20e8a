// JSON Schemas of the data that catalog's events carry. They go into the plugin's manifest.
#pragma once

#include <string_view>

namespace catalog::schemas {

inline constexpr std::string_view product =
    R"({"type":"object","required":["sku","name","description","categoryId","price","images","rating","version"],
"properties":{"sku":{"type":"string"},"name":{"type":"string"},"description":{"type":"string"},
"categoryId":{"type":"string"},"price":{"type":"object","required":["amount","currency"],"properties":{
"amount":{"type":"integer","minimum":0},"currency":{"type":"string","pattern":"^[A-Z]{3}$"}}},
"images":{"type":"array","items":{"type":"string"}},
"rating":{"type":"object","required":["average","count"],"properties":{
"average":{"type":"number"},"count":{"type":"integer","minimum":0}}},
"version":{"type":"integer","minimum":1}}})";

inline constexpr std::string_view product_deleted =
    R"({"type":"object","required":["sku"],"properties":{"sku":{"type":"string"}}})";

inline constexpr std::string_view price_changed =
    R"({"type":"object","required":["sku","price","version"],"properties":{
"sku":{"type":"string"},"price":{"type":"object","required":["amount","currency"],"properties":{
"amount":{"type":"integer","minimum":0},"currency":{"type":"string","pattern":"^[A-Z]{3}$"}}},
"version":{"type":"integer","minimum":1}}})";

inline constexpr std::string_view review_added =
    R"({"type":"object","required":["reviewId","sku","customerId","rating","average","count"],"properties":{
"reviewId":{"type":"string"},"sku":{"type":"string"},"customerId":{"type":"string"},
"rating":{"type":"integer","minimum":1,"maximum":5},"average":{"type":"number"},"count":{"type":"integer"}}})";

}  // namespace catalog::schemas
