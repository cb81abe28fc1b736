# The methods of services in .proto files, as a list for the preprocessor: X(SANDBOX_EXEC_STREAM, "/sandplane.v1.SandboxService/ExecStream").
BEGIN { print "/* Made from api/sandplane/v1. */\n#define AUTHZ_METHODS(X) \\" }
/^package / { package = $2; sub(/;/, "", package) }
/^service / { service = $2 }
/^  rpc / {
  method = $2
  sub(/\(.*/, "", method)
  word = service
  sub(/Service$/, "", word)
  word = word method
  gsub(/[A-Z]/, "_&", word)
  sub(/^_/, "", word)
  printf "  X(%s, \"/%s.%s/%s\") \\\n", toupper(word), package, service, method
}
END { print "" }
