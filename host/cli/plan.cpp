#include <cstdio>

#include "cli/commands.hpp"
#include "cli/planning.hpp"

namespace gantry::cli {

int plan(const plan_arguments& with) {
  const auto asked = ask_hosts(with);
  if (!asked) return 1;
  if (with.json) {
    std::printf("%s\n", to_json(asked->made).c_str());
  } else {
    std::printf("%s", to_text(asked->made).c_str());
  }
  switch (verdict_of(asked->made)) {
    case plan::verdict::nothing:
      return 0;
    case plan::verdict::changes:
      return 2;
    case plan::verdict::refused:
      return 1;
  }
  return 1;
}

}  // namespace gantry::cli
