/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_SPARSEMEM_H
#define __UM_SPARSEMEM_H

#define SECTION_SIZE_BITS	27
#define MAX_PHYSMEM_BITS	40

#endif /* __UM_SPARSEMEM_H */
