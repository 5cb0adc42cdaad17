// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * With page.h the only file that knows the inside of the kernel's structs. Offsets come from the running kernel's BTF;
 * one that the kernel does not have is not defined.
 */
#include "abi.h"

static u32 read_u32(u64 address)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static u64 read_u64(u64 address)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/*
 * A u32 of the pool that a hooked function was called with. Behind a trampoline the verifier knows what it is, and loads
 * are loads, as in the kernel itself; in assembly, because BCC makes any other into a call of bpf_probe_read_kernel.
 */
#ifdef BY_TRAMPOLINE
#define HOOKED_U32(pool, offset)                                                                \
	({                                                                                      \
		u64 value_;                                                                     \
		asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(value_) : "r"(pool), "i"(offset)); \
		value_;                                                                         \
	})
#else
#define HOOKED_U32(pool, offset) ((u64)read_u32((pool) + (offset)))
#endif

/* What the kernel returns instead of a pointer when it failed (include/linux/err.h). */
static bool is_error(u64 pointer)
{
	return !pointer || pointer >= -4095ULL;
}

/* Pages in the consumer's own cache. */
static u32 pp_cache_count(u64 pool)
{
	return read_u32(pool + PP_ALLOC_COUNT);
}

/* Where the consumer of the ring stands; moves by one for each page it takes, and wraps at the ring's size. */
static u32 pp_ring_head(u64 pool)
{
	return read_u32(pool + PP_RING_CONSUMER_HEAD);
}

static u32 pp_ring_size(u64 pool)
{
	return read_u32(pool + PP_RING_SIZE);
}

/*
 * Pages in the ring. A ring whose producer stands where its consumer does is empty or full: the slot under the
 * consumer tells which (include/linux/ptr_ring.h).
 */
static u32 pp_ring_count(u64 pool)
{
	u32 head = pp_ring_head(pool), producer = read_u32(pool + PP_RING_PRODUCER), size = pp_ring_size(pool);
	u64 queue = read_u64(pool + PP_RING_QUEUE);

	if (producer == head)
		return read_u64(queue + 8ULL * head) ? size : 0;
	return producer > head ? producer - head : producer + size - head;
}

static u32 pp_hold_cnt(u64 pool)
{
	return read_u32(pool + PP_HOLD_CNT);
}

static u32 pp_release_cnt(u64 pool)
{
	return read_u32(pool + PP_RELEASE_CNT);
}

/* Its driver has destroyed it, and no page is out: nothing happens to it any more. */
static bool pp_is_over(u64 pool)
{
#ifdef PP_DESTROY_CNT /* kernel commit 7c9e69428d99 ("page_pool: add destroy attempts counter and rename tracepoint", 5.5) */
	return read_u64(pool + PP_DESTROY_CNT) && pp_hold_cnt(pool) == pp_release_cnt(pool);
#else
	return false;
#endif
}

/* Kernel commit 53e0961da1c7 ("page_pool: add frag page recycling support in page pool", 5.15) brought fragments. */
#ifdef PP_FRAG_USERS
#define HOOKED_FRAG_USERS(pool) HOOKED_U32(pool, PP_FRAG_USERS)
#endif

/* The page that is being cut into fragments; 0: none. */
static u64 pp_frag_page(u64 pool)
{
#ifdef PP_FRAG_PAGE
	return read_u64(pool + PP_FRAG_PAGE);
#else
	return 0;
#endif
}

/*
 * Does someone besides its driver use the pool, as XDP's memory model does? The driver's page_pool_destroy then only
 * drops its reference. Kernel commit 1da4bbeffe41 ("net: core: page_pool: add user refcnt and reintroduce
 * page_pool_destroy", 5.3).
 */
static bool pp_is_shared(u64 pool)
{
	return read_u32(pool + PP_USER_CNT) > 1;
}

static s32 pp_nid(u64 pool)
{
	return (s32)read_u32(pool + PP_NID);
}

static u32 known_node(u32 node)
{
	return node < NODES ? node : UNKNOWN_NODE;
}

/*
 * The node that the refill of this pool accepts here: the pool's own, or, without one, that of the CPU. The kernel asks
 * numa_mem_id(), the helper numa_node_id(): they differ on CPUs of a node without memory only.
 */
static u32 wanted_node(u64 pool)
{
	s32 nid = pp_nid(pool);

	return known_node(nid < 0 ? bpf_get_numa_node_id() : nid);
}
