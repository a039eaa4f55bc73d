# a policy
path "kv/team/*" { capabilities = ["read", "list",] }
path "kv/par/*" { capabilities = ["create"] allowed_parameters = { "color" = ["red", "blue"] "size" = [] } }
path "sys/{{identity.entity.id}}" {
  min_wrapping_ttl = 1
  max_wrapping_ttl = "90s"
  control_group { factor "n" { identity { group_names = ["a"] } } }
}
