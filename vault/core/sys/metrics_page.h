#pragma once
// What sys/metrics shows, in the two forms that clients of Vault read: the text format of
// Prometheus (0.0.4), and the JSON of Vault's own. Names are Vault's, with dots:
// "vault.core.unsealed" is vault_core_unsealed to Prometheus. Samples of one name stand together,
// however they came; two of the same labels are added up. A value, of one request.

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/json.h"
#include "vault/base/metrics.h"

namespace leasehold::core {

// As Prometheus takes it.
inline constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

class MetricsPage {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  void gauge(std::string_view name, std::string_view help, double value, Labels labels = {});
  void counter(std::string_view name, std::string_view help, double value, Labels labels = {});
  // Quantiles of `recent`, and how many there were and how long they took since the start; in
  // milliseconds, as Vault has them.
  void summary(std::string_view name, std::string_view help, const metrics::Timed& all,
               const metrics::Timed& recent);
  // Without quantiles.
  void summary(std::string_view name, std::string_view help, double count, double milliseconds);

  std::string prometheus() const;
  Json json(WallTime now) const;

 private:
  enum class Type : std::uint8_t { gauge, counter, summary };
  struct Sample {
    Labels labels;
    double value = 0;  // of a summary: the sum
    double count = 0;
    std::vector<std::pair<double, double>> quantiles;
  };
  struct Family {
    std::string name, text_name, help;
    Type type = Type::gauge;
    std::vector<Sample> samples;
  };
  Family& family(std::string_view name, std::string_view help, Type type);
  void add(std::string_view name, std::string_view help, Type type, Sample sample);

  std::deque<Family> families_;  // in the order in which they came
  std::map<std::string, Family*, std::less<>> by_text_name_;
};

}  // namespace leasehold::core
