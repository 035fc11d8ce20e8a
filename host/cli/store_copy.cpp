#include "app/store_copy.hpp"

#include <cstdio>
#include <string>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "loader/discover.hpp"
#include "observability/log.hpp"
#include "topology/json_text.hpp"

namespace gantry::cli {
namespace {

using topology::json_quoted;

bool checked(const std::string& file, loader::validation& out) {
  out = loader::validate_file(file);
  if (!topology::has_errors(out.problems)) return true;
  for (const auto& p : out.problems) std::fprintf(stderr, "%s\n", topology::to_text(p).c_str());
  return false;
}

std::string hexadecimal(std::uint64_t v) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(v));
  return text;
}

void print_json(const std::vector<app::copied_plugin>& all) {
  std::string out = "{\"plugins\":[";
  for (const auto& p : all) {
    out += (&p == &all.front() ? "" : ",") + ("{\"plugin\":" + json_quoted(p.plugin)) +
           ",\"from\":" + json_quoted(p.from) + ",\"to\":" + json_quoted(p.to) + ",\"tables\":[";
    for (const auto& t : p.tables)
      out += (&t == &p.tables.front() ? "" : ",") + ("{\"table\":" + json_quoted(t.name)) +
             ",\"rows\":" + std::to_string(t.rows) + ",\"checksum\":\"" + hexadecimal(t.checksum) + "\"}";
    out += "],\"derived\":[";
    for (const auto& name : p.left_out) out += (&name == &p.left_out.front() ? "" : ",") + json_quoted(name);
    out += "]}";
  }
  std::printf("%s]}\n", out.c_str());
}

void print_table(const std::vector<app::copied_plugin>& all) {
  table rows({"plugin", "table", "rows", "checksum"});
  for (const auto& p : all) {
    for (const auto& t : p.tables) rows.add({p.plugin, t.name, std::to_string(t.rows), hexadecimal(t.checksum)});
    for (const auto& name : p.left_out) rows.add({p.plugin, name, "-", "not copied: derived from other tables"});
  }
  std::fputs(rows.text().c_str(), stdout);
  for (const auto& p : all) std::printf("%s: %s -> %s\n", p.plugin.c_str(), p.from.c_str(), p.to.c_str());
  if (all.empty()) std::printf("no plugin's store differs; all events of the old bus have been handled\n");
}

}  // namespace

int store_copy(const store_copy_arguments& arguments) {
  loader::validation from;
  loader::validation to;
  if (!checked(arguments.from, from) || !checked(arguments.to, to)) return 1;
  observability::log_options log;
  log.threshold = observability::level::warn;
  observability::open_log(log);
  const auto copied = app::copy_stores(from.model, to.model, arguments.plugins);
  observability::close_log();
  if (!copied) {
    std::fprintf(stderr, "gantry: %s\n", copied.failure().text.c_str());
    return 1;
  }
  if (arguments.json) {
    print_json(*copied);
  } else {
    print_table(*copied);
  }
  return 0;
}

}  // namespace gantry::cli
