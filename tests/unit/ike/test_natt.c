#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controlplane/ike/natt.h"
#include "controlplane/ike/payload.h"
#include "tests/vectors/ike_kdf.h"

/* The initiator at 192.0.2.1 and the responder at 203.0.113.10. */
static struct ike_path from_initiator(void)
{
	return (struct ike_path){
		.local = ip_v4(0xc0000201), .remote = ip_v4(0xcb00710a), .local_port = 500, .remote_port = 500};
}

static struct ike_path at_responder(void)
{
	return (struct ike_path){
		.local = ip_v4(0xcb00710a), .remote = ip_v4(0xc0000201), .local_port = 500, .remote_port = 500};
}

static struct natt_seen exchange(const struct ike_path *sent, const struct ike_path *received, bool force)
{
	uint8_t buf[256];
	struct wire_out o;
	struct ike_msg m;
	struct natt_seen seen;

	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = KDF_SPI_I});
	assert_int_equal(natt_add(&o, KDF_SPI_I, 0, sent, force), 0);
	assert_int_equal(wire_parse(buf, wire_msg_end(&o), &m), IKE_V_OK);
	assert_int_equal(natt_look(&m.clear, KDF_SPI_I, 0, received, &seen), 0);
	return seen;
}

static void hashes_have_the_independent_values(void **state)
{
	uint8_t out[CRYPTO_SHA1_LEN];
	struct ip_addr v4 = ip_v4(0xcb00710a), v6;

	(void)state;
	assert_int_equal(ip_parse("2001:db8::1", &v6), 0);
	assert_int_equal(natt_hash(KDF_SPI_I, KDF_SPI_R, &v4, 500, out), 0);
	assert_memory_equal(out, kdf_natt_v4, sizeof(out));
	assert_int_equal(natt_hash(KDF_SPI_I, 0, &v6, 4500, out), 0);
	assert_memory_equal(out, kdf_natt_v6, sizeof(out));
}

static void without_a_nat_nobody_is_behind_one(void **state)
{
	struct ike_path i = from_initiator(), r = at_responder();
	struct natt_seen s = exchange(&i, &r, false);

	(void)state;
	assert_true(s.supported);
	assert_false(s.nat_local || s.nat_remote);
}

static void a_changed_source_means_the_peer_is_behind_a_nat(void **state)
{
	struct ike_path i = from_initiator(), r = at_responder();
	struct natt_seen s;

	(void)state;
	r.remote = ip_v4(0xc6336407);
	s = exchange(&i, &r, false);
	assert_true(s.supported && s.nat_remote && !s.nat_local);
	r = at_responder();
	r.remote_port = 1027; /* a NAT may change the port alone */
	s = exchange(&i, &r, false);
	assert_true(s.supported && s.nat_remote && !s.nat_local);
}

static void a_changed_destination_means_we_are_behind_a_nat(void **state)
{
	struct ike_path i = from_initiator(), r = at_responder();
	struct natt_seen s;

	(void)state;
	r.local = ip_v4(0x0a000001);
	s = exchange(&i, &r, false);
	assert_true(s.supported && s.nat_local && !s.nat_remote);
}

static void forced_encapsulation_looks_like_a_nat(void **state)
{
	struct ike_path i = from_initiator(), r = at_responder();
	struct natt_seen s = exchange(&i, &r, true);

	(void)state;
	assert_true(s.supported && s.nat_remote && !s.nat_local);
}

/* RFC 7296 2.23: several source hashes, one that fits is enough. A12: other lengths are ignored. */
static void one_source_of_several_is_enough_and_bad_lengths_are_ignored(void **state)
{
	struct ike_path r = at_responder();
	uint8_t buf[512], right[CRYPTO_SHA1_LEN], wrong[CRYPTO_SHA1_LEN + 1] = {0}, to[CRYPTO_SHA1_LEN];
	struct wire_out o;
	struct ike_msg m;
	struct natt_seen s;

	(void)state;
	assert_int_equal(natt_hash(1, 2, &r.remote, 500, right), 0);
	assert_int_equal(natt_hash(1, 2, &r.local, 500, to), 0);
	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = 1, .spi_r = 2});
	for (size_t len = 0; len <= sizeof(wrong); len += 7)
		payload_notify_add(&o, N_NAT_DETECTION_SOURCE_IP, wrong, len);
	payload_notify_add(&o, N_NAT_DETECTION_SOURCE_IP, wrong, 20);
	payload_notify_add(&o, N_NAT_DETECTION_SOURCE_IP, right, 20);
	payload_notify_add(&o, N_NAT_DETECTION_DESTINATION_IP, to, 20);
	assert_int_equal(wire_parse(buf, wire_msg_end(&o), &m), IKE_V_OK);
	assert_int_equal(natt_look(&m.clear, 1, 2, &r, &s), 0);
	assert_true(s.supported && !s.nat_remote && !s.nat_local);
	/* the right octets and one more fit nothing */
	memcpy(wrong, right, 20);
	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = 1, .spi_r = 2});
	payload_notify_add(&o, N_NAT_DETECTION_SOURCE_IP, wrong, 21);
	payload_notify_add(&o, N_NAT_DETECTION_DESTINATION_IP, to, 20);
	assert_int_equal(wire_parse(buf, wire_msg_end(&o), &m), IKE_V_OK);
	assert_int_equal(natt_look(&m.clear, 1, 2, &r, &s), 0);
	assert_false(s.supported || s.nat_remote || s.nat_local);
}

static void a_peer_without_the_notifies_does_no_nat_traversal(void **state)
{
	struct ike_path r = at_responder();
	struct ike_chain none = {0};
	struct natt_seen s = {true, true, true};

	(void)state;
	assert_int_equal(natt_look(&none, 1, 2, &r, &s), 0);
	assert_false(s.supported || s.nat_remote || s.nat_local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_have_the_independent_values),
		cmocka_unit_test(without_a_nat_nobody_is_behind_one),
		cmocka_unit_test(a_changed_source_means_the_peer_is_behind_a_nat),
		cmocka_unit_test(a_changed_destination_means_we_are_behind_a_nat),
		cmocka_unit_test(forced_encapsulation_looks_like_a_nat),
		cmocka_unit_test(one_source_of_several_is_enough_and_bad_lengths_are_ignored),
		cmocka_unit_test(a_peer_without_the_notifies_does_no_nat_traversal),
	};

	return cmocka_run_group_tests_name("ike-natt", tests, NULL, NULL);
}
