/* a server */
storage "file" { path = "/tmp/x" }
listener "tcp" {
  address = "127.0.0.1:8200"
  tls_disable = true // local
  custom_response_headers { "default" = { "X-A" = ["b"] } "2xx" { } }
}
mode = 0755
mask = 0x1F
banner = <<-EOF
    one
      two
    EOF
options = { a = -1.5e-3, b = "\u00e9\n" }
