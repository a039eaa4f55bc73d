/* a server */
storage "ile" { path = "/tmp/x" }
listenener = <<-EOF
    one
     ztwo
    EOF
options = { a = --3.1e5, b = "\u00e9\n" }
