// The steps of all hosts as one plan: in what order, whether it may be done, and how it is shown.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "plan/steps.hpp"
#include "topology/problem.hpp"

namespace gantry::plan {

// What one host says of a new topology.
struct host_answer {
  std::string host;
  std::string applied;  // SHA-256 of the text of the topology that it runs
  std::vector<topology::problem> problems;
  std::vector<step> steps;
};

std::string to_json(const host_answer& answer);
// corrupt: not such an answer.
result<host_answer> read_answer(std::string_view json);

enum class verdict { nothing, changes, refused };

struct plan {
  std::string name;                         // of the topology
  std::vector<topology::problem> problems;  // of the new file, each once
  std::vector<step> steps;                  // in the order in which they are done
  std::vector<std::string> silent;          // hosts that do not answer
  bool force = false;                       // what breaks is overruled
  std::string hash;                         // of the new file and all that the hosts have said
};

// Topics first, then swaps; a plugin that moves with a store of its own leaves before it comes; what comes is there
// before what else leaves; restarts last. `text` is the new topology file.
plan make_plan(std::string name, std::string_view text, std::vector<host_answer> answers,
               std::vector<std::string> silent, bool force);

verdict verdict_of(const plan& plan);

std::string to_text(const plan& plan);
std::string to_json(const plan& plan);
// One step as to_text() shows it, without its number.
std::string to_text(const step& step, bool force);

}  // namespace gantry::plan
