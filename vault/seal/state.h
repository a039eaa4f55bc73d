#pragma once
// What a `Seal` remembers between calls; for the files that implement it only.

#include <map>
#include <set>

#include "vault/seal/seal.h"

namespace leasehold::seal {

struct Seal::State {
  Mutex
      changing;  // one initialize() or enroll_missing() at a time; may be held while a device works
  // One copy of the stored ring at a time, whoever asks for one: it takes kilobytes of locked
  // memory. Held for moments, and never while a device works; taken before `mutex`, or alone.
  mutable Mutex ring;
  mutable Mutex mutex;  // never held while a device works
  std::optional<Records> records GUARDED_BY(mutex);
  std::optional<Quorum> unseal GUARDED_BY(mutex);
  std::map<SlotId, DeviceAnswer> answers GUARDED_BY(mutex);
  std::set<SlotId> misfits GUARDED_BY(mutex);  // their device's key does not open them
  // What the registry, once it was opened, contradicts.
  std::map<SlotId, std::string> strays GUARDED_BY(mutex);  // stored, and not as listed
  SlotList missing GUARDED_BY(mutex);                      // listed, and not stored
  std::map<std::string, std::string> not_enrolled
      GUARDED_BY(mutex);  // by description of the device
  bool opened_by_shares GUARDED_BY(mutex) = false;

  // The slot of the shares; where more than one is stored, one that the registry does not
  // contradict.
  const SlotRecord* shares() const REQUIRES(mutex);
  // The quorum that unseals, when there is a slot that can.
  std::optional<Quorum> new_unseal() const REQUIRES(mutex);
  // Where more than one slot of shares is stored, the first share given says which of them is
  // meant: one that was put in does not stop the others.
  void choose_slot(const SecretBytes& first_share) REQUIRES(mutex);

  // Slots that were put back, put in, changed or taken away open nothing; they are told, so that
  // somebody looks.
  void compare_slots(const Records& stored, const Opened& opened, LogSink& log) REQUIRES(mutex);
};

inline bool is_shares(const SlotRecord& slot) { return !slot.unreadable && slot.kind == "shamir"; }
inline bool is_device(const SlotRecord& slot) { return !slot.unreadable && slot.kind != "shamir"; }
inline constexpr const char* kCannotBeRead =
    "the stored slot cannot be read: it was changed, belongs to another store, or a newer version "
    "wrote it. The other slots open the vault; to have this one back, restore the store from a "
    "backup";
inline constexpr const char* kIsGone =
    "its record is gone from storage: somebody took it away behind the vault's back; that way in "
    "is "
    "lost";
const SlotRecord* find_shamir(const std::vector<SlotRecord>& slots);
// First eight digits of a slot's id, for messages.
std::string short_id(const SlotId& id);
// A message with its detail, for the log.
inline std::string in_full(const std::string& message, const std::string& detail) {
  return detail.empty() ? message : message + " (" + detail + ")";
}
SlotRecord new_slot(const StoreId& store, std::string_view kind, Random& random);
// An open store from its records and root key, which `through` gave. Code::invalid when the
// registry does not list that slot in this generation: it was replaced or removed since.
Result<Opened> open_store(const Records& records, const crypto::Key& root,
                          const SlotRecord& through, std::string by);

}  // namespace leasehold::seal
