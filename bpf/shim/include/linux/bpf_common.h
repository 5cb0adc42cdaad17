#pragma once
/* Included by BCC's own copy of bpf.h; nothing of it is needed. */
