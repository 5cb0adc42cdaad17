// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What a struct device says: the netdev that it is part of, its driver, its NUMA node. */
#include "page_pool.h"

#define ANCESTORS 8 /* devices from a NIC up to its host bridge, and room: six behind two switches */

static void read_name(char *to, u64 at)
{
	bpf_probe_read_kernel_str(to, NAME_BYTES, (void *)read_u64(at));
}

/* The net_device that embeds this struct device, or 0: what drivers without DMA (veth) leave in .dev. */
static u64 netdev_around(u64 device)
{
	char class[4] = {};

	if (!device)
		return 0;
	bpf_probe_read_kernel_str(class, sizeof(class), (void *)read_u64(read_u64(device + DEVICE_CLASS) + CLASS_NAME));
	return class[0] == 'n' && class[1] == 'e' && class[2] == 't' ? device - NETDEV_DEV : 0;
}

/* The bus driver of a device, or the kind of a virtual one ("veth"). */
static void read_driver(char *to, u64 netdev, u64 device)
{
	u64 parent = netdev ? read_u64(netdev + NETDEV_DEV + DEVICE_PARENT) : device;
	u64 driver = parent ? read_u64(parent + DEVICE_DRIVER) : 0;

	if (driver)
		read_name(to, driver + DRIVER_NAME);
	else if (netdev)
		read_name(to, read_u64(netdev + NETDEV_LINK_OPS) + LINK_OPS_KIND);
}

#ifdef DEVICE_NODE /* CONFIG_NUMA */
/*
 * The node of the nearest device from this one up that has one; -1: none. A virtio device is on no node itself, nor is
 * its netdev, unless the PCI device above had one when they were made (device_add in drivers/base/core.c).
 */
static s32 node_above(u64 device)
{
	s32 node = -1;

#pragma clang loop unroll(disable)
	for (u32 up = 0; up < ANCESTORS && device && node < 0; up++) {
		if (bpf_probe_read_kernel(&node, sizeof(node), (void *)(device + DEVICE_NODE)))
			node = -1;
		device = read_u64(device + DEVICE_PARENT);
	}
	return node < 0 ? -1 : node;
}
#endif
