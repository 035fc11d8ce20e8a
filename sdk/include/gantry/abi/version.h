/* Gantry plugin ABI: version numbers.
 *
 * The major number changes when a released slot would have to change its meaning; a host loads
 * exactly its own major. The minor number grows when slots are added at the end of structs; a host
 * loads plugins built for its own minor or an older one.
 */
#ifndef GANTRY_ABI_VERSION_H
#define GANTRY_ABI_VERSION_H

#define GANTRY_ABI_MAJOR 1
#define GANTRY_ABI_MINOR 2

#define GANTRY_SDK_VERSION "0.1.0"

#endif
