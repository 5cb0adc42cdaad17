// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Who a pool belongs to, read from its structs at first sight, in every network namespace. Pools that the kernel's
 * netlink hides (no .netdev: veth, test_run, vmxnet3, stmmac) get the best name there is.
 */
#include "device.h"

/*
 * A destroyed netdev leaves NET_PTR_POISON in slow.netdev (net/core/page_pool_user.c): reading through it fails, and
 * the interface index stays 0.
 */
static u64 pp_netdev(u64 pool)
{
	u64 netdev = 0;

#ifdef PP_SLOW_NETDEV /* kernel commit 083772c9f972 ("net: page_pool: record pools per netdev", 6.8) */
	netdev = read_u64(pool + PP_SLOW_NETDEV);
	if (netdev && !read_u32(netdev + NETDEV_IFINDEX))
		netdev = 0;
#endif
#ifdef PP_NAPI /* kernel commit 8c48eea3adf3 ("page_pool: allow caching from safely localized NAPI", 6.4) */
	if (!netdev)
		netdev = read_u64(read_u64(pool + PP_NAPI) + NAPI_DEV);
#endif
	return netdev ? netdev : netdev_around(read_u64(pool + PP_DEV));
}

/* The kernel's own number of a pool; 0 before kernel commit f17c69649c69 ("net: page_pool: id the page pools", 6.8). */
static u32 pp_id(u64 pool)
{
#ifdef PP_USER_ID
	return read_u32(pool + PP_USER_ID);
#else
	return 0;
#endif
}

static u32 pp_napi_id(u64 pool)
{
#ifdef PP_NAPI
	return read_u32(read_u64(pool + PP_NAPI) + NAPI_ID);
#else
	return 0;
#endif
}

/* What does not change in the life of a pool, or is the device's. */
static void describe(struct pool *p, u64 pool, u64 netdev, u64 device)
{
	p->nid = pp_nid(pool);
	p->order = read_u32(pool + PP_ORDER);
	p->queue = p->cpu = p->device_node = -1;
#ifdef PP_QUEUE /* since 6.12, with memory providers */
	if (netdev)
		p->queue = read_u32(pool + PP_QUEUE);
#endif
#ifdef PP_PROVIDER /* kernel commit 0f9214046893 ("memory-provider: dmabuf devmem memory provider", 6.12) */
	p->provider = read_u64(pool + PP_PROVIDER) != 0;
#endif
#ifdef PP_CPU /* kernel commit 2b0cfa6e4956 ("net: add generic percpu page_pool allocator", 6.9) */
	p->cpu = read_u32(pool + PP_CPU);
#endif
#ifdef DEVICE_NODE
	p->device_node = node_above(device ? device : netdev ? netdev + NETDEV_DEV : 0);
#endif
}

static void identify(struct pool *p, u64 pool)
{
	u64 netdev = pp_netdev(pool), device = read_u64(pool + PP_DEV);

	describe(p, pool, netdev, device);
	p->id = pp_id(pool);
	p->napi_id = pp_napi_id(pool);
	if (device)
		read_name(p->device, device + DEVICE_NAME);
	read_driver(p->driver, netdev, device);
	if (!netdev)
		return;
	p->ifindex = read_u32(netdev + NETDEV_IFINDEX);
	p->netns = read_u32(read_u64(netdev + NETDEV_NET) + NET_INUM);
	bpf_probe_read_kernel_str(p->netdev, NAME_BYTES, (void *)(netdev + NETDEV_NAME));
}

/*
 * A system pool is its CPU's; a NAPI instance that is being polled, or about to be, belongs to the CPU that does it. It
 * may have moved since the pool's last refill: its consumer lives on what comes straight back into the cache.
 */
static void find_consumer(struct pool *p, u64 pool)
{
	s32 cpu = p->cpu;

#if defined(PP_NAPI) && defined(NAPI_OWNER) /* as above, 6.4 */
	u64 napi = read_u64(pool + PP_NAPI);

	if (cpu < 0 && napi)
		cpu = read_u32(napi + NAPI_OWNER);
#endif
	if (cpu >= 0 && cpu < CPUS)
		p->consumer_cpu = cpu;
}

/* Is something else where this pool was? A pool keeps the number that it gets when it is made. */
static bool is_another(struct pool *p, u64 pool)
{
	return p->id && pp_id(pool) != p->id;
}

/* What the pool says of itself at this moment. */
static void measure(struct pool *p, u64 pool)
{
	u32 release_cnt = pp_release_cnt(pool);

	p->released += (u32)(release_cnt - p->release_cnt);
	p->release_cnt = release_cnt;
	p->inflight = (s32)(pp_hold_cnt(pool) - release_cnt);
	p->cache_pages = pp_cache_count(pool);
	p->ring_pages = pp_ring_count(pool);
	p->ring_size = pp_ring_size(pool);
}
