// One instance of a plugin: the plugin object, its handlers, and the table through which the host drives them.
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "gantry/abi/entry.h"
#include "gantry/abi/handover.h"
#include "gantry/detail/abi_glue.hpp"
#include "gantry/handover.hpp"
#include "gantry/setup.hpp"

// The migrations that gantry_add_plugin embeds; not defined in a plugin without any.
extern "C" __attribute__((weak, visibility("hidden"))) const gantry_migration* gantry_embedded_migrations(
    size_t* count);

namespace gantry::detail {

class instance {
 public:
  // What gantry_entry::create does: makes a plugin of this class.
  template <typename Plugin>
  static gantry_status create(const gantry_host* host, const gantry_instance** out) {
    try {
      auto made = std::make_unique<instance>(host, std::make_unique<Plugin>());
      *out = &made.release()->table_;
      return GANTRY_OK;
    } catch (const std::exception& e) {
      return host->fail(host, GANTRY_FAILED, str(e.what()));
    } catch (...) {
      return host->fail(host, GANTRY_FAILED, str("an exception that is no std::exception"));
    }
  }

  template <typename Plugin>
  instance(const gantry_host* host, std::unique_ptr<Plugin> made)
      : rt_(host), handover_(as_handover(made.get())), plugin_(std::move(made)) {
    plugin_->rt_ = &rt_;
    table_ = {sizeof table_, this, &call_setup, &call_start, &call_stop, &destroy, &call_health, &call_capability};
    if (handover_ == nullptr) return;
    passing_ = {sizeof passing_, handover_->handover_format(), &call_export, &call_import, &call_size};
  }
  instance(const instance&) = delete;
  instance& operator=(const instance&) = delete;
  ~instance() = default;

  // The plugin object behind a table that create<Plugin>() made.
  static plugin& plugin_of(const gantry_instance& table) { return *static_cast<instance*>(table.self)->plugin_; }

 private:
  template <typename Plugin>
  static handover* as_handover(Plugin* made) {
    if constexpr (std::is_base_of_v<handover, Plugin>) {
      return made;
    } else {
      return nullptr;
    }
  }

  static instance& of(void* self) { return *static_cast<instance*>(self); }

  static gantry_status call_setup(void* self) {
    instance& me = of(self);
    return guard(me.rt_, GANTRY_FAILED, [&me] {
      me.declare_migrations();
      gantry::setup declaring(me.rt_, *me.plugin_, me.handlers_);
      me.plugin_->setup(declaring);
      return GANTRY_OK;
    });
  }

  void declare_migrations() {
    if (&gantry_embedded_migrations == nullptr) return;
    std::size_t count = 0;
    const gantry_migration* all = gantry_embedded_migrations(&count);
    const gantry_store_1& store = rt_.need(rt_.store, GANTRY_STORE_1);
    for (std::size_t i = 0; i < count; ++i) rt_.check(store.migration(rt_.host, &all[i]));
  }

  static gantry_status call_start(void* self) {
    instance& me = of(self);
    return guard(me.rt_, GANTRY_FAILED, [&me] {
      if (me.rt_.config != nullptr) {
        const std::string_view text = view(me.rt_.config->get(me.rt_.host));
        if (!text.empty()) me.rt_.configuration.parse_into(text);
      }
      start_context starting(me.rt_);
      me.plugin_->start(starting);
      return GANTRY_OK;
    });
  }

  static void call_stop(void* self) {
    instance& me = of(self);
    guard_void(me.rt_, "stop", [&me] { me.plugin_->stop(); });
  }

  static void destroy(void* self) { delete static_cast<instance*>(self); }  // NOLINT: made by create()

  static gantry_status call_health(void* self) {
    instance& me = of(self);
    return guard(me.rt_, GANTRY_FAILED, [&me] {
      me.plugin_->health();
      return GANTRY_OK;
    });
  }

  static const void* call_capability(void* self, const char* id) {
    instance& me = of(self);
    return me.handover_ != nullptr && std::strcmp(id, GANTRY_HANDOVER_1) == 0 ? &me.passing_ : nullptr;
  }

  static gantry_status call_export(void* self, std::uint32_t format, gantry_handover_sink write, void* sink) {
    instance& me = of(self);
    return guard(me.rt_, GANTRY_FAILED, [&] { return write(sink, str(me.handover_->export_state(format))); });
  }

  static gantry_status call_import(void* self, std::uint32_t format, gantry_str state) {
    instance& me = of(self);
    return guard(me.rt_, GANTRY_FAILED, [&]() -> gantry_status {
      me.handover_->import_state(format, view(state));
      return GANTRY_OK;
    });
  }

  static std::uint64_t call_size(void* self) {
    instance& me = of(self);
    std::uint64_t size = 0;
    guard_void(me.rt_, "state_size", [&] { size = me.handover_->state_size(); });
    return size;
  }

  runtime rt_;
  handover* handover_;  // a part of the plugin, or nullptr
  std::unique_ptr<plugin> plugin_;
  setup::handlers handlers_;  // gone before the plugin that they are bound to
  gantry_instance table_{};
  gantry_handover_1 passing_{};
};

}  // namespace gantry::detail
