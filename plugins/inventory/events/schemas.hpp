// JSON Schemas of the data that inventory's events carry. They go into the plugin's manifest.
#pragma once

#include <string_view>

namespace inventory::schemas {

inline constexpr std::string_view order_lines = R"({"type":"object","required":["orderId","lines"],"properties":{
"orderId":{"type":"string"},
"lines":{"type":"array","items":{"type":"object","required":["sku","quantity"],"properties":{
"sku":{"type":"string"},"quantity":{"type":"integer","minimum":1}}}}}})";

inline constexpr std::string_view rejected = R"({"type":"object","required":["orderId","reason","lines"],"properties":{
"orderId":{"type":"string"},"reason":{"type":"string"},
"lines":{"type":"array","items":{"type":"object","required":["sku","requested","available"],"properties":{
"sku":{"type":"string"},"requested":{"type":"integer"},"available":{"type":"integer"}}}}}})";

inline constexpr std::string_view commit_failed = R"({"type":"object","required":["orderId","reason"],"properties":{
"orderId":{"type":"string"},"reason":{"type":"string"}}})";

inline constexpr std::string_view stock_level =
    R"({"type":"object","required":["sku","onHand","reserved","available"],"properties":{
"sku":{"type":"string"},"onHand":{"type":"integer","minimum":0},"reserved":{"type":"integer","minimum":0},
"available":{"type":"integer","minimum":0},"cause":{"type":"string"}}})";

inline constexpr std::string_view low_stock =
    R"({"type":"object","required":["sku","available","threshold"],"properties":{
"sku":{"type":"string"},"available":{"type":"integer"},"threshold":{"type":"integer"}}})";

}  // namespace inventory::schemas
