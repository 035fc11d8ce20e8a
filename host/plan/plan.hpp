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

// One JSON object, in which equal answers are equal texts.
std::string to_json(const host_answer& answer);
// What to_json() wrote, also that of a host of another version as far as it is known here. corrupt: not such an answer.
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

// In the order of order_of(): topics first, then swaps; a plugin that moves with a store of its own leaves before it
// comes; what comes is there before what else leaves; then restarts, and last what throws events away. `text` is the
// new topology file.
plan make_plan(std::string name, std::string_view text, std::vector<host_answer> answers,
               std::vector<std::string> silent, bool force);

// What stands for the answer of a host that gives none, may still run, and is not in the new topology: nobody would
// tell it that what it has goes elsewhere. `applied`: SHA-256 of what it ran last; `note`: the file that says so.
host_answer silent_leaver(const std::string& host, std::string applied, const std::string& note);

// refused: an error, what is impossible, or what breaks and is not overruled; nothing: no steps.
verdict verdict_of(const plan& plan);

// As a person reads it, several lines; the last is the verdict.
std::string to_text(const plan& plan);
// One JSON object with the verdict, the steps in their order, the problems and who does not answer.
std::string to_json(const plan& plan);
// One step as to_text() shows it, without its number.
std::string to_text(const step& step, bool force);

}  // namespace gantry::plan
