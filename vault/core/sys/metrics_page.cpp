#include "vault/core/sys/metrics_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace leasehold::core {

namespace {

constexpr double kNanosPerMilli = 1e6;
constexpr double kQuantiles[] = {0.5, 0.9, 0.99};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string text_name_of(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (!is_letter(c) && (c < '0' || c > '9')) c = '_';
  return text;
}

void append_escaped(std::string& to, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\')
      to += "\\\\";
    else if (c == '\n')
      to += "\\n";
    else if (c == '"' && quotes)
      to += "\\\"";
    else
      to += c;
  }
}

void append_number(std::string& to, double value) {
  if (std::isnan(value))
    to += "NaN";
  else if (std::isinf(value))
    to += value > 0 ? "+Inf" : "-Inf";
  else if (value == std::floor(value) && std::fabs(value) < 1e15)
    to += fmt::format("{}", static_cast<std::int64_t>(value));
  else
    to += fmt::format("{}", value);
}

void append_sample(std::string& to, std::string_view name, std::string_view suffix,
                   const MetricsPage::Labels& labels, double value) {
  to.append(name).append(suffix);
  char before = '{';
  for (const auto& label : labels) {
    to += before;
    to.append(label.first).append("=\"");
    append_escaped(to, label.second, true);
    to += '"';
    before = ',';
  }
  if (before == ',') to += '}';
  to += ' ';
  append_number(to, value);
  to += '\n';
}

// Vault's names are older than these habits of Prometheus's own; a type that a name does not look
// like is left out, so that `promtool check metrics` has nothing to say.
bool looks_like_counter(std::string_view name) { return name.ends_with("_total"); }
bool looks_like_gauge(std::string_view name) {
  return !name.ends_with("_total") && !name.ends_with("_count") && !name.ends_with("_sum") &&
         !name.ends_with("_bucket");
}

Json labels_of(const MetricsPage::Labels& labels) {
  Json all = Json::object();
  for (const auto& label : labels) all.set(label.first, label.second);
  return all;
}

// JSON has no NaN.
Json number_of(double value) {
  std::string text;
  append_number(text, std::isfinite(value) ? value : 0);
  return Json::number(std::move(text));
}

// Whole, as what reads this page takes counts and gauges.
Json whole_number_of(double value) { return number_of(std::round(value)); }

// As Go prints a time: what reads this page parses it so.
std::string time_of(WallTime now) {
  std::string text = rfc3339(WallTime{now.seconds() * 1'000'000'000});  // 2026-11-29T09:13:41Z
  text[10] = ' ';
  text.pop_back();
  text += " +0000 UTC";
  return text;
}

}  // namespace

MetricsPage::Family& MetricsPage::family(std::string_view name, std::string_view help, Type type) {
  const std::string text_name = text_name_of(name);
  const auto known = by_text_name_.find(text_name);
  if (known != by_text_name_.end()) return *known->second;
  families_.push_back({std::string(name), text_name, std::string(help), type, {}});
  by_text_name_.emplace(text_name, &families_.back());
  return families_.back();
}

void MetricsPage::add(std::string_view name, std::string_view help, Type type, Sample sample) {
  Family& to = family(name, help, type);
  for (Sample& known : to.samples) {
    if (known.labels != sample.labels) continue;
    known.value += sample.value;
    known.count += sample.count;
    return;
  }
  to.samples.push_back(std::move(sample));
}

void MetricsPage::gauge(std::string_view name, std::string_view help, double value, Labels labels) {
  add(name, help, Type::gauge, {std::move(labels), value, 0, {}});
}

void MetricsPage::counter(std::string_view name, std::string_view help, double value,
                          Labels labels) {
  add(name, help, Type::counter, {std::move(labels), value, 0, {}});
}

void MetricsPage::summary(std::string_view name, std::string_view help, const metrics::Timed& all,
                          const metrics::Timed& recent) {
  Sample sample;
  sample.value = all.total_ns() / kNanosPerMilli;
  sample.count = static_cast<double>(all.count);
  for (const double q : kQuantiles)
    sample.quantiles.emplace_back(q, recent.quantile(q) / kNanosPerMilli);
  add(name, help, Type::summary, std::move(sample));
}

void MetricsPage::summary(std::string_view name, std::string_view help, double count,
                          double milliseconds) {
  add(name, help, Type::summary, {{}, milliseconds, count, {}});
}

std::string MetricsPage::prometheus() const {
  std::string text;
  for (const Family& one : families_) {
    const std::string& name = one.text_name;
    const char* type = "untyped";
    if (one.type == Type::summary) type = "summary";
    if (one.type == Type::counter && looks_like_counter(name)) type = "counter";
    if (one.type == Type::gauge && looks_like_gauge(name)) type = "gauge";
    text.append("# HELP ").append(name).append(" ");
    append_escaped(text, one.help, false);
    text.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
    for (const Sample& sample : one.samples) {
      if (one.type != Type::summary) {
        append_sample(text, name, "", sample.labels, sample.value);
        continue;
      }
      for (const auto& quantile : sample.quantiles) {
        Labels labels = sample.labels;
        labels.emplace_back("quantile", fmt::format("{}", quantile.first));
        append_sample(text, name, "", labels, quantile.second);
      }
      append_sample(text, name, "_sum", sample.labels, sample.value);
      append_sample(text, name, "_count", sample.labels, sample.count);
    }
  }
  return text;
}

Json MetricsPage::json(WallTime now) const {
  Json gauges = Json::array(), counters = Json::array(), samples = Json::array();
  for (const Family& one : families_)
    for (const Sample& sample : one.samples) {
      Json entry = Json::object();
      entry.set("Name", one.name).set("Labels", labels_of(sample.labels));
      if (one.type == Type::gauge) {
        gauges.push(std::move(entry.set("Value", whole_number_of(sample.value))));
        continue;
      }
      const bool timed = one.type == Type::summary;
      const double count = timed ? sample.count : sample.value;
      entry.set("Count", whole_number_of(count));
      entry.set("Sum", timed ? number_of(sample.value) : whole_number_of(sample.value));
      entry.set("Mean", number_of(count > 0 ? sample.value / count : 0));
      for (const char* unknown : {"Max", "Min", "Rate", "Stddev"}) entry.set(unknown, 0);
      (timed ? samples : counters).push(std::move(entry));
    }
  Json page = Json::object();
  page.set("Timestamp", time_of(now)).set("Gauges", std::move(gauges)).set("Points", Json::array());
  page.set("Counters", std::move(counters)).set("Samples", std::move(samples));
  return page;
}

}  // namespace leasehold::core
