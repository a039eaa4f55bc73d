#include "vault/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace leasehold {
namespace {

// The reader keeps a copy of the token it stands on; this wipes it.
template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) {}
  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) {
    wipe(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  bool operator==(const WipingAllocator&) const { return true; }
};

using TokenText = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;
// A number's text is kept as it is written, but one that no double holds is refused: whoever reads
// it back (Go, Python, JavaScript) would fail or see infinity.
using Reader = nlohmann::basic_json<std::map, std::vector, TokenText, bool, std::int64_t,
                                    std::uint64_t, double>;

constexpr std::string_view kPrefix = "failed to decode JSON input: ";
constexpr std::string_view kRefused = "refused JSON input due to high complexity: ";

Error decode_error(std::string_view what) {
  return failure(Code::invalid, std::string(kPrefix).append(what));
}
Error wrong_at(std::string_view what, std::size_t offset) {
  return decode_error(std::string(what) + " at offset " + std::to_string(offset));
}
Error complexity_error(std::string_view what) {
  return failure(Code::invalid, std::string(kRefused).append(what));
}

// The reader hands over integers as values, which loses "-0" and the like. This walks the text a
// second time, from number to number, in step with the reader: all it passes is valid by then.
// It takes all the characters that may stand in a number, which is the number when the text is
// valid.
class NumberTexts {
 public:
  explicit NumberTexts(std::string_view text) : text_(text) {}

  // Where the next one begins.
  std::size_t offset() {
    while (!at_number()) skip();
    return at_;
  }
  std::string next() {
    const std::size_t start = offset();
    at_ = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    return std::string(text_.substr(start, at_ - start));
  }

 private:
  bool at_number() const {
    VAULT_ASSERT(at_ < text_.size());
    return text_[at_] == '-' || (text_[at_] >= '0' && text_[at_] <= '9');
  }
  void skip() {
    if (text_[at_++] != '"') return;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Receives the reader's events and builds the value, as deep as `limits` let it.
class Builder {
 public:
  Builder(std::string_view text, const JsonLimits& limits)
      : size_(text.size()), limits_(limits), numbers_(text) {}

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(Reader::number_integer_t) { return number(); }
  bool number_unsigned(Reader::number_unsigned_t) { return number(); }
  bool number_float(Reader::number_float_t, std::string_view) { return number(); }
  bool string(Reader::string_t& text) {
    return count_string() && add(Json(std::string_view(text)));
  }
  bool binary(Reader::binary_t&) { return false; }  // not in JSON text

  bool start_object(std::size_t) { return open(); }
  bool key(Reader::string_t& text) {
    if (!count_string()) return false;
    open_.back().keys.emplace_back(std::string_view(text));
    return true;
  }
  bool end_object() {
    Open done = take_open();
    // Built in one go: sorted once, and of two equal keys the later one stays.
    Json object = Json::object();
    std::vector<std::size_t> order(done.keys.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&done](std::size_t a, std::size_t b) { return done.keys[a] < done.keys[b]; });
    for (const std::size_t i : order) object.set(done.keys[i], std::move(done.values[i]));
    return add_counted(std::move(object));
  }
  bool start_array(std::size_t) { return open(); }
  bool end_array() {
    Open done = take_open();
    Json array = Json::array();
    for (Json& value : done.values) array.push(std::move(value));
    return add_counted(std::move(array));
  }

  // `read`: bytes, with the wrong one, or the end of the token that must not stand here.
  bool parse_error(std::size_t read, const std::string&, const Reader::exception& why) {
    constexpr int kNumberTooLarge = 406;  // nlohmann's number for it
    if (why.id == kNumberTooLarge) return fail_at("number out of range", numbers_.offset());
    if (read > 0 && read <= size_) return fail_at("invalid character", read - 1);
    failed_at_ = size_;
    return fail(decode_error("unexpected EOF"));
  }

  Error take_error() { return std::move(error_); }
  Json take_root() { return std::move(root_); }
  std::size_t failed_at() const { return failed_at_; }

 private:
  struct Open {
    std::vector<std::string> keys;  // of an object
    std::vector<Json> values;
  };

  bool fail(Error error) {
    error_ = std::move(error);
    return false;
  }
  bool fail_at(std::string_view what, std::size_t offset) {
    failed_at_ = offset;
    return fail(wrong_at(what, offset));
  }
  bool count_string() {
    return ++strings_ <= limits_.strings ||
           fail(complexity_error("exceeded maximum number of strings"));
  }
  bool count_value() {
    return ++values_ <= limits_.values ||
           fail(complexity_error("exceeded maximum number of values"));
  }
  // The reader sees "0" and then "1" in "01"; we see what stands there, and that it is no number.
  bool number() {
    const std::size_t offset = numbers_.offset();
    std::string text = numbers_.next();
    if (!is_json_number(text)) return fail_at("invalid character", offset);
    return add(Json::number(std::move(text)));
  }
  bool add(Json value) { return count_value() && add_counted(std::move(value)); }
  bool add_counted(Json value) {
    if (open_.empty())
      root_ = std::move(value);
    else
      open_.back().values.push_back(std::move(value));
    return true;
  }
  bool open() {
    if (open_.size() == limits_.depth) return fail(decode_error("nested too deeply"));
    if (!count_value()) return false;
    open_.emplace_back();
    return true;
  }
  Open take_open() {
    Open done = std::move(open_.back());
    open_.pop_back();
    return done;
  }

  std::size_t size_;
  const JsonLimits& limits_;
  NumberTexts numbers_;
  std::size_t strings_ = 0;
  std::size_t values_ = 0;
  std::vector<Open> open_;
  Json root_;
  Error error_;
  std::size_t failed_at_ = 0;
};

// The offset of what the reader would let pass: it takes a NUL for the end and skips a byte order
// mark. npos: there is none.
std::size_t foreign_byte(std::string_view text) {
  return text.substr(0, 3) == "\xEF\xBB\xBF" ? 0 : text.find('\0');
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits, std::size_t* failed_at) {
  if (failed_at != nullptr) *failed_at = 0;
  if (text.size() > limits.bytes) return decode_error("too large");
  if (const std::size_t at = foreign_byte(text); at != std::string_view::npos) {
    if (failed_at != nullptr) *failed_at = at;
    return wrong_at("invalid character", at);
  }
  Builder builder(text, limits);
  try {
    if (Reader::sax_parse(text.begin(), text.end(), &builder)) return builder.take_root();
  } catch (const Reader::exception&) {
    return decode_error("invalid character");
  }
  if (failed_at != nullptr) *failed_at = builder.failed_at();
  return builder.take_error();
}

}  // namespace leasehold
