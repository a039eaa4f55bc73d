# A vault sealed by the TPM of this machine. `leasehold server -config=/etc/leasehold/leasehold.hcl`
# Names are Vault's; a key Vault knows and this server does not need is accepted with a warning, any
# other unknown key stops the start with its file and line.

storage "lmdb" {
  path = "/var/lib/leasehold"
  # map_size = "64GiB"      # most that the store may grow to; address space, not memory or disk
}

listener "tcp" {
  address       = "127.0.0.1:8200"
  tls_cert_file = "/etc/leasehold/tls/cert.pem"  # read again when the files change, and on SIGHUP
  tls_key_file  = "/etc/leasehold/tls/key.pem"
  # tls_disable = true      # plain HTTP; the server warns when it listens beyond loopback
}

# A second door for programs on this machine; the mode of the socket is the access control.
# listener "unix" {
#   address     = "/run/leasehold/leasehold.sock"
#   socket_mode = "0660"
# }

# Any one of the seals opens the vault; without a seal stanza the Shamir shares of `operator init` do.
seal "tpm" {
  device = "/dev/tpmrm0"
  # pcrs       = "7+14"
  # pin_source = "file:/etc/leasehold/tpm-pin"
}

# seal "pkcs11" {
#   lib         = "/usr/lib/softhsm/libsofthsm2.so"
#   token_label = "leasehold"
#   key_label   = "root"
#   pin_source  = "file:/etc/leasehold/hsm-pin"
# }

# seal "static" {             # no hardware protection: whoever reads the file opens the vault
#   current_key_id = "2026-1"
#   current_key    = "file:///etc/leasehold/unseal.key"
# }

# A store that outlives the process needs an audit log, and not in the storage directory.
# `audit_required = false` waives that.
audit "file" "main" {
  options {
    file_path = "/var/log/leasehold/audit.log"
  }
}

api_addr          = "https://127.0.0.1:8200"
default_lease_ttl = "768h"
max_lease_ttl     = "768h"
# lease_sweep_period = "1h"  # how often accounts at targets are compared with leases; "0": never
log_level         = "info"
