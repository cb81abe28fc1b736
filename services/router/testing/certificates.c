/* Writes an authority, and a server's and a client's certificate of it, into a folder, for tests of TLS: ca.crt,
 * tls.crt, tls.key, client.crt, client.key. Arguments: the folder, the client's common name, the hours until they end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/crypto/certificate.h"

/* By way of a new file, as tools that renew certificates do it. */
static void write_file(const char *folder, const char *name, const Buf *text) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s", folder, name);
  CLEANUP(str_freep) char *fresh = str_printf("%s.new", path);
  FILE *f = fopen(fresh, "we");
  if (!f || fwrite(text->data, 1, text->len, f) != text->len || fclose(f) != 0 || rename(fresh, path) != 0) {
    perror(path);
    exit(1);
  }
}

static void must(int rc, const Error *err) {
  if (rc == 0)
    return;
  fprintf(stderr, "%s\n", err->message);
  exit(1);
}

int main(int argc, char **argv) {
  static const char *const NAMES[] = {"router.test"}, *const IPS[] = {"127.0.0.1"};
  int64_t hours;
  if (argc != 4 || str_to_int64(argv[3], 1, 1000000, &hours) != 0)
    return 2;
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = "an authority", .now_ms = now, .not_after_ms = now + hours * 3600000};
  CLEANUP(buf_deinit) Buf ca = BUF_INIT(0);
  CLEANUP(buf_deinit) Buf ca_key = BUF_INIT(0);
  CLEANUP(buf_deinit) Buf cert = BUF_INIT(0);
  CLEANUP(buf_deinit) Buf key = BUF_INIT(0);
  CLEANUP(buf_deinit) Buf client = BUF_INIT(0);
  CLEANUP(buf_deinit) Buf client_key = BUF_INIT(0);
  Error err;
  must(certificate_make_ca(&terms, &ca, &ca_key, &err), &err);
  terms.common_name = argv[2];
  must(certificate_make_client(buf_str(&ca), buf_str(&ca_key), &terms, &client, &client_key, &err), &err);
  terms.common_name = "a router";
  terms.dns_names = NAMES, terms.n_dns_names = 1;
  terms.ips = IPS, terms.n_ips = 1;
  must(certificate_make_server(buf_str(&ca), buf_str(&ca_key), &terms, &cert, &key, &err), &err);
  const struct {
    const char *name;
    const Buf *text;
  } FILES[] = {
      {"ca.crt", &ca}, {"tls.crt", &cert}, {"tls.key", &key}, {"client.crt", &client}, {"client.key", &client_key}};
  for (size_t i = 0; i < ARRAY_LEN(FILES); i++)
    write_file(argv[1], FILES[i].name, FILES[i].text);
  return 0;
}
