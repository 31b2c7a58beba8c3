module github.com/tink-crypto/tink-go-hcvault/v2

go 1.26.0

require github.com/tink-crypto/tink-go/v2 v2.4.0
