# changelog.awk: the section of CHANGES.md on one version, as the changes of an entry in Debian's changelog.
function change(  words, word, i, line, link) {
  gsub(/\*\*/, "", text)
  while (match(text, /\[[^]]*\]\([^)]*\)/)) {
    link = substr(text, RSTART + 1, RLENGTH - 1)
    sub(/\].*/, "", link)
    text = substr(text, 1, RSTART - 1) link substr(text, RSTART + RLENGTH)
  }
  words = split(text, word)
  text = ""
  line = "  *"
  for (i = 1; i <= words; i++) {
    if (length(line) + length(word[i]) >= 80) { print line; line = "   " }
    line = line " " word[i]
  }
  if (words > 0) print line
}
/^## / { change(); wanted = $2 == version; next }
!wanted { next }
/^$/ || /^- / { change(); sub(/^- /, "") }
{ text = text " " $0 }
END { change() }
