#include "http/conversation.hpp"

#include <algorithm>
#include <ctime>

#include "http/problem.hpp"

namespace gantry::http {
namespace {

constexpr std::size_t join_below = 16 * 1024;  // larger bodies are sent from where they are, not copied

// The date header's text changes once a second; each thread keeps its own.
std::string_view current_date() {
  thread_local std::int64_t second = -1;
  thread_local std::string text;
  const std::int64_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    text = http_date(now);
  }
  return text;
}

}  // namespace

void conversation::feed(std::string_view bytes) {
  if (phase_ == phase::closing) return;
  if (read_ == in_.size()) {
    in_.clear();
    read_ = scanned_ = 0;
  }
  in_.append(bytes);
}

std::optional<request> conversation::next() {
  if (phase_ == phase::handling || phase_ == phase::closing) return std::nullopt;
  if (phase_ != phase::body && !read_head()) return std::nullopt;
  if (!read_body()) return std::nullopt;
  phase_ = phase::handling;
  if (read_ > join_below) {
    in_.erase(0, read_);
    read_ = scanned_ = 0;
  }
  return std::move(head_.start);
}

bool conversation::read_head() {
  // An empty line before a request is what some clients leave behind a body (RFC 9112, 2.2).
  while (phase_ == phase::idle && unread() >= 2 && in_[read_] == '\r' && in_[read_ + 1] == '\n') read_ += 2;
  if (unread() == 0 || (phase_ == phase::idle && unread() == 1 && in_[read_] == '\r')) return false;
  phase_ = phase::head;
  scanned_ = std::max(scanned_, read_);
  const auto from = scanned_ - read_ >= 3 ? scanned_ - 3 : read_;
  const auto end = in_.find("\r\n\r\n", from);
  const auto size = (end == std::string::npos ? in_.size() : end) - read_;
  if (size > limits_.max_headers) {
    const bool line = in_.find('\n', read_) > read_ + limits_.max_headers;
    refuse({line ? 414 : 431, (line ? "the request line is" : "request line and headers are") +
                                  (" longer than " + std::to_string(limits_.max_headers) + " bytes")});
    return false;
  }
  if (end == std::string::npos) {
    scanned_ = in_.size();
    // A client that ends its lines otherwise would wait for its timeout; tell it at once.
    if (in_.find("\n\n", from) != std::string::npos) refuse({400, "a line must end with CRLF"});
    return false;
  }
  head_ = {};
  const auto no = parse_head(std::string_view(in_).substr(read_, size + 2), limits_, head_);
  read_ = end + 4;
  frame_ = {head_.start.method == "HEAD", head_.http10, !head_.keep_alive};
  if (no) {
    refuse(*no);
    return false;
  }
  begin_body();
  return true;
}

void conversation::begin_body() {
  phase_ = phase::body;
  chunks_ = {};
  const bool expected = head_.chunked || head_.content_length > 0;
  if (head_.expects_continue && expected && unread() == 0) {
    auto& out = open_output();
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    out.append(go_on);
    unsent_ += go_on.size();
  }
}

bool conversation::read_body() {
  auto& body = head_.start.body;
  std::string_view in = std::string_view(in_).substr(read_);
  if (head_.chunked) {
    const auto no = chunks_.read(in, limits_, body);
    read_ = in_.size() - in.size();
    if (no) refuse(*no);
    return !no && chunks_.complete();
  }
  const auto missing = static_cast<std::size_t>(head_.content_length) - body.size();
  body.append(in.substr(0, missing));
  read_ += std::min(missing, in.size());
  return body.size() == head_.content_length;
}

void conversation::answer(reply&& with, bool last) {
  if (phase_ != phase::handling) return;
  frame_.close = frame_.close || last;
  send(with, frame_);
  phase_ = frame_.close ? phase::closing : phase::idle;
}

void conversation::break_off(reply&& with) {
  if (phase_ == phase::closing) return;
  frame_.close = true;
  if (phase_ == phase::idle || phase_ == phase::head) frame_ = {false, false, true};
  send(with, frame_);
  phase_ = phase::closing;
}

void conversation::refuse(const refusal& why) {
  auto answer = problem(why.status, why.detail);
  if (why.status == 405) answer.headers.push_back({"allow", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"});
  // Where the next message begins is not known any more, so nothing behind this one is read.
  frame_.close = true;
  send(answer, frame_);
  phase_ = phase::closing;
  in_.clear();
  read_ = scanned_ = 0;
}

std::string& conversation::open_output() {
  if (out_.empty() || out_.back().size() >= join_below) out_.emplace_back();
  return out_.back();
}

void conversation::send(reply& with, const reply_frame& frame) {
  auto& out = open_output();
  const auto before = out.size();
  const bool has_body = append_reply_head(out, with, frame, current_date());
  if (has_body && with.body.size() < join_below) out.append(with.body);
  unsent_ += out.size() - before;
  if (has_body && with.body.size() >= join_below) {
    unsent_ += with.body.size();
    out_.push_back(std::move(with.body));
  }
}

std::string_view conversation::output() const noexcept {
  if (out_.empty()) return {};
  return std::string_view(out_.front()).substr(out_offset_);
}

void conversation::sent(std::size_t bytes) {
  unsent_ -= bytes;
  out_offset_ += bytes;
  if (out_offset_ < out_.front().size()) return;
  out_offset_ = 0;
  if (out_.size() == 1 && out_.front().size() < join_below) {
    out_.front().clear();  // keeps its memory for the next reply
  } else {
    out_.pop_front();
  }
}

}  // namespace gantry::http
