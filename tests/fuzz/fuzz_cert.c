/* What a stranger may show of certificates and signatures, and what may lie in the config's files. First octet: which of them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "controlplane/ike/auth.h"
#include "controlplane/ike/auth_sig.h"
#include "controlplane/ike/cert.h"
#include "controlplane/ike/payload.h"
#include "tests/fuzz/ike_bodies.h"
#include "tests/sim/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct pki *root, *ours;
static struct cert_creds *creds;

static void prepare(void)
{
	static struct cfg_certs *files;
	char why[512];

	if (creds)
		return;
	root = pki_make(&(struct pki_spec){.kind = PKI_P256, .subject = "CN=root", .ca = true});
	ours = pki_make(&(struct pki_spec){.kind = PKI_P256, .which = 1, .by = root, .subject = "CN=ours"});
	files = pki_files(ours, root);
	must(cert_creds_load(files, PKI_WALL_S, &creds, why, sizeof(why)) == 0);
}

/* Words for people: printable, whatever was in it. */
static void words(const char *why)
{
	for (; *why; why++)
		must(*why >= 0x20 && *why < 0x7f);
}

/* A message's chain: CERT payloads of a stranger, none of whom our root has signed. */
static void chain(const uint8_t *data, size_t len)
{
	static struct ike_chain c;
	struct cert_pile pile = {.n = 0};
	struct cfg_id id;
	EVP_PKEY *key = NULL;
	char why[400];
	struct text t = text_of(why, sizeof(why));

	must(cfg_id_parse("node-0", &id) == 0);
	if (wire_chain_parse(IKE_PL_CERT, rd_of(data, len), &c) != IKE_V_OK)
		return;
	cert_pile_read(&pile, &c);
	must(pile.n <= CERT_PEER_MAX);
	must(cert_check_peer(creds, &pile, &id, PKI_WALL_S, &key, &t) < 0);
	must(why[0]);
	words(why);
	EVP_PKEY_free(key);
	cert_pile_fini(&pile);
}

/* AUTH data that nobody has signed. Then: the key, the method, the data. */
static void signature(const uint8_t *data, size_t len)
{
	static const struct ike_nonce nonce = {.len = 32};
	static const struct secret sk_p = {.len = 32};
	const struct auth_octets o = {.prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0),
				      .message = (const uint8_t *)"m",
				      .message_len = 1,
				      .peer_nonce = &nonce,
				      .sk_p = &sk_p,
				      .id = (const uint8_t *)"i",
				      .id_len = 1};
	static struct auth_value v;
	char why[400];
	struct text t = text_of(why, sizeof(why));
	struct auth_sig_params p = {.hashes = AUTH_HASHES_OURS};

	if (len < 2 || len - 2 > sizeof(v.b))
		return;
	p.legacy = data[0] & 0x80;
	v.method = data[1];
	v.len = (uint16_t)(len - 2);
	memcpy(v.b, data + 2, len - 2);
	must(auth_sig_verify(pki_key((data[0] & 0x7f) % PKI_GOOD_KINDS, 0), &o, &p, &v, NULL, &t) < 0);
	must(why[0]);
	words(why);
}

/* A file of the config, as each of its kinds. */
static void file(const uint8_t *data, size_t len)
{
	for (unsigned i = 0; i < 4; i++) {
		struct cfg_certs *c = pki_files(ours, root);
		struct cfg_file *f = i == 0 ? &c->cert[0] : i == 1 ? &c->ca[0] : i == 2 ? &c->crl[0] : &c->key;
		char why[512] = "";
		int err;

		free(f->path);
		free(f->p);
		c->n_crl = i == 2;
		pki_file(f, "file\x1b[31m", data, len);
		err = cert_creds_load(c, PKI_WALL_S, NULL, why, sizeof(why));
		must((err == 0) == (why[0] == '\0'));
		words(why);
		cfg_certs_unref(c);
	}
}

/* Two DER names, one behind the other: the first's length in front. */
static void names(const uint8_t *data, size_t len)
{
	struct cfg_id a = {.type = CFG_ID_DN}, b = {.type = CFG_ID_DN};
	size_t n = len ? data[0] : 0;

	if (n + 1 > len || len - n - 1 > sizeof(b.b))
		return;
	a.len = (uint16_t)n;
	memcpy(a.b, data + 1, n);
	b.len = (uint16_t)(len - n - 1);
	memcpy(b.b, data + 1 + n, b.len);
	must(cert_id_same(&a, &b) == cert_id_same(&b, &a));
	must(cert_id_same(&a, &a) && cert_id_same(&b, &b));
	must(!cert_creds_has_id(creds, &a) || cert_id_same(&a, cert_creds_id(creds)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	prepare();
	if (len == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		chain(data + 1, len - 1);
		break;
	case 1:
		signature(data + 1, len - 1);
		break;
	case 2:
		file(data + 1, len - 1);
		break;
	case 3:
		names(data + 1, len - 1);
		break;
	}
	return 0;
}
