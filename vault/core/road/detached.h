#pragma once
// The coroutine type of Core::handle. Its frames come from the loop that it runs on; no caller
// waits for its result.

#include <coroutine>
#include <exception>

#include "vault/base/loop.h"

namespace leasehold::core {

// Fire and forget: runs to its first suspension inside the call, frees itself at the end.
struct Detached {
  struct promise_type {  // NOLINT(readability-identifier-naming): the language says so
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
    static void* operator new(std::size_t size) { return Loop::current()->frames().take(size); }
    static void operator delete(void* frame, std::size_t size) {
      Loop::current()->frames().give(frame, size);
    }
  };
};

}  // namespace leasehold::core
