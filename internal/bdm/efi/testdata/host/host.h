// What the units under test are compiled with: the program's own memcpy and memset must not stand in
// for those of the C library.
#define memcpy bdm_memcpy
#define memset bdm_memset
