# The headers' plain comments as Doxygen takes them. What would be markup in them is text.
/^ *\*\|\/\* /{
    s/\\/\\\\/g
    s/@/\\@/g
    s/#\([a-zA-Z0-9]\)/\\#\1/g
    s/</\&lt;/g
}
# The comment that a file begins with is the file's.
1s|^/\*|/** @file\
 *|
s|^\( *\)/\*\( .*\)\{0,1\}$|\1/**\2|
s|^\(.*[^ ].*\)/\* |\1/**< |
