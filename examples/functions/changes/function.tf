# [{ field = "labels.env", before = "\"dev\"", after = "\"prod\"" }, { field = "size", before = null, after = "25" }]
output "changes" {
  value = provider::audit::changes(
    { labels = { env = "dev" } },
    { labels = { env = "prod" }, size = 25 },
  )
}

# States that come as JSON are decoded first.
output "decoded" {
  value = provider::audit::changes(null, jsondecode("{\"size\":25}"))
}
