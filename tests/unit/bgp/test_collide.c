/* RFC 4271 6.8 and RFC 6286 2.3: which of two connections stays, for every order of identifiers, ASes and arrival. */
#include "tests/unit/bgp/peer_rig.h"

static const struct collide_side low = {0x01000000, 65001}, high = {0x00000002 | 0x02000000, 65002};

/* What the RFC says: the connection that the higher one made. */
static void the_connection_of_the_higher_identifier_stays(void **state)
{
	static const struct {
		struct collide_side local, remote;
		bool local_wins;
	} rows[] = {
		{{1, 65001}, {2, 65002}, false},
		{{2, 65001}, {1, 65002}, true},
		/* host byte order: 10.0.0.1 is above 9.255.255.255, and 1.0.0.0 above 0.0.0.255 */
		{{0x0a000001, 65001}, {0x09ffffff, 65002}, true},
		{{0x000000ff, 65001}, {0x01000000, 65002}, false},
		/* unsigned */
		{{0x7fffffff, 65001}, {0x80000000, 65002}, false},
		{{0xffffffff, 65001}, {1, 65002}, true},
		/* equal: the larger AS, 4 octets wide, whatever the order of its octets */
		{{7, 65001}, {7, 65002}, false},
		{{7, 65002}, {7, 65001}, true},
		{{7, 0x00010000}, {7, 65535}, true},
		{{7, 0x7fffffff}, {7, 0x80000000}, false},
		{{7, 0x000000ff}, {7, 0x00000100}, false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		for (unsigned ours = 0; ours < 2; ours++) {
			enum collide_verdict v =
				collide(BGP_OPENCONFIRM, rows[i].remote.id, ours, rows[i].local, rows[i].remote);

			assert_int_equal(v, rows[i].local_wins == ours ? COLLIDE_OLD_LOSES : COLLIDE_NEW_LOSES);
		}
}

/* Both ends decide alike, whichever connection they hear of first. */
static void both_ends_keep_the_same_connection(void **state)
{
	static const struct collide_side sides[] = {{1, 1}, {2, 1}, {1, 2}, {0xff000000, 3}, {0xff, 4}, {0xff, 70000}};

	(void)state;
	for (size_t a = 0; a < N_ELEMS(sides); a++)
		for (size_t b = 0; b < N_ELEMS(sides); b++) {
			if (sides[a].as == sides[b].as)
				continue; /* eBGP */
			for (unsigned first = 0; first < 4; first++) {
				/* does A's connection stay, in the eyes of A and of B; who sees which one last */
				bool new_is_a_at_a = first & 1, new_is_a_at_b = first & 2;
				bool a_says = (collide(BGP_OPENCONFIRM, sides[b].id, new_is_a_at_a, sides[a],
						       sides[b]) == COLLIDE_OLD_LOSES) == new_is_a_at_a;
				bool b_says = (collide(BGP_OPENCONFIRM, sides[a].id, !new_is_a_at_b, sides[b],
						       sides[a]) == COLLIDE_OLD_LOSES) == new_is_a_at_b;

				assert_int_equal(a_says, b_says);
			}
		}
}

static void only_openconfirm_and_established_collide(void **state)
{
	(void)state;
	for (unsigned ours = 0; ours < 2; ours++) {
		for (unsigned s = BGP_IDLE; s <= BGP_OPENSENT; s++) {
			assert_int_equal(collide(s, high.id, ours, low, high), COLLIDE_NONE);
			assert_int_equal(collide(s, low.id, ours, high, low), COLLIDE_NONE);
		}
		assert_int_equal(collide(BGP_ESTABLISHED, high.id, ours, low, high), COLLIDE_NEW_LOSES);
		assert_int_equal(collide(BGP_ESTABLISHED, low.id, ours, high, low), COLLIDE_NEW_LOSES);
	}
}

static void a_speaker_that_came_back_with_another_identifier_wins(void **state)
{
	(void)state;
	for (unsigned ours = 0; ours < 2; ours++) {
		assert_int_equal(collide(BGP_OPENCONFIRM, 99, ours, low, high), COLLIDE_OLD_LOSES);
		assert_int_equal(collide(BGP_ESTABLISHED, 99, ours, low, high), COLLIDE_NEW_LOSES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_connection_of_the_higher_identifier_stays),
		cmocka_unit_test(both_ends_keep_the_same_connection),
		cmocka_unit_test(only_openconfirm_and_established_collide),
		cmocka_unit_test(a_speaker_that_came_back_with_another_identifier_wins),
	};

	return cmocka_run_group_tests_name("bgp-collide", tests, NULL, NULL);
}
