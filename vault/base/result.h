#pragma once
// A failure is a value. `Result<T>` holds a T or an `Error`; `Status` is `Result<void>`.
//
//   Result<Bytes> read_file(const std::string& path);
//   Status copy() {
//     VAULT_TRY_ASSIGN(const Bytes bytes, read_file("a"));
//     return write_file("b", bytes);
//   }
//
// Absence is `std::optional`, not an error. None of our code throws; what a library throws stops in
// the file that calls it. Thread safety: values, as safe as T.

#include <string>
#include <utility>
#include <variant>

namespace leasehold {

// Chosen by what the caller would do differently.
enum class Code {
  invalid,      // the request itself is wrong; the same request fails again (HTTP 400)
  denied,       // not permitted (403)
  not_found,    // there is nothing by that name (404)
  unsupported,  // the thing exists and cannot do this (405)
  conflict,     // somebody changed it meanwhile; run again
  unavailable,  // sealed or shutting down; try later (503)
  busy,         // a queue is full, and nothing happened; try later (503)
  limited,      // a quota is used up (429)
  deadline,     // did not finish in time, outcome unknown (504)
  no_space,     // storage is full (507)
  internal,     // our fault or the machine's (500)
};

// `message` may reach the client; `detail` goes to the log only. Neither ever holds a secret.
struct Error {
  Code code = Code::internal;
  std::string message;
  std::string detail;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }
  bool is(Code code) const { return !ok() && error().code == code; }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  bool ok() const { return !failed_; }
  Error& error() & { return error_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }
  bool is(Code code) const { return failed_ && error_.code == code; }
  // Says in the code that a failure here is of no consequence.
  void ignore() const {}

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;

inline Error failure(Code code, std::string message, std::string detail = {}) {
  return Error{code, std::move(message), std::move(detail)};
}

// Only a bug can break it: stays on in release, prints file and condition, never a value.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition);

}  // namespace leasehold

#define VAULT_ASSERT(condition) \
  ((condition) ? void(0) : ::leasehold::assertion_failed(__FILE__, __LINE__, #condition))

// `VAULT_TRY(f());` returns the error of f() from this function. Not inside a coroutine.
#define VAULT_TRY(expression)                                               \
  do {                                                                      \
    auto vault_try_result = (expression);                                   \
    if (!vault_try_result.ok()) return std::move(vault_try_result).error(); \
  } while (false)

#define VAULT_CONCAT_INNER(a, b) a##b
#define VAULT_CONCAT(a, b) VAULT_CONCAT_INNER(a, b)
// `VAULT_TRY_ASSIGN(auto x, f());` declares x with the value of f(), or returns its error.
#define VAULT_TRY_ASSIGN(declaration, expression) \
  VAULT_TRY_ASSIGN_AS(VAULT_CONCAT(vault_try_, __LINE__), declaration, expression)
#define VAULT_TRY_ASSIGN_AS(name, declaration, expression) \
  auto name = (expression);                                \
  if (!name.ok()) return std::move(name).error();          \
  declaration = std::move(name).value()
