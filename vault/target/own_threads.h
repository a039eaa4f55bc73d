#pragma once
// Threads that call drivers of targets. A driver may hang in a resolver or a library, where nobody
// can end it: such a thread is left behind, and owns what it uses (all but the clock). A process
// with one must end without the exit handlers of the libraries that it is in. Thread-safe.

#include <cstddef>
#include <functional>

namespace leasehold::target {

// Throws std::system_error when there is no thread to be had.
void run_on_own_thread(std::function<void()> body);
std::size_t own_threads();  // that have not ended

}  // namespace leasehold::target
