// For plugins that keep state in memory: a plugin class that also derives from handover passes it on to the generation
// that replaces it. Thread: main; but for state_size() no handler runs meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry {

class handover {
 public:
  virtual ~handover() = default;

  // The newest format that this class writes; it also reads and writes the one before.
  virtual std::uint32_t handover_format() { return 1; }
  // How many bytes of state there are, about; 0: not known. What is known is a shorter wait for requests: the host makes
  // room before. Handlers run meanwhile.
  virtual std::size_t state_size() { return 0; }
  // The state in this format. Throws failure(GANTRY_UNSUPPORTED, ...) for one that it can't write.
  virtual std::string export_state(std::uint32_t format) = 0;
  // Takes the state over, before the first handler.
  virtual void import_state(std::uint32_t format, std::string_view state) = 0;
};

}  // namespace gantry
