#!/bin/sh
# config-user USER@DOMAIN [HOST]: what a mail host of a domain needs, for one user to begin with; config runs it. What is
# there already stays as it is. A line for each thing that is done.
test "$#/$1" != 1/--help || { echo "config-user: usage: config-user user@domain [host]" >&2; exit 100; }

home=@QMAIL@
bin=$home/bin
say() { echo "config: $*"; }
fail() { echo "config: fatal: $2" >&2; exit "$1"; }

# name NAME: a full name that a host or a domain can have
name() {
  printf '%s\n' "$1" | awk 'NR > 1 || length($0) > 253 { bad = 1 }
    { n = split($0, label, ".")
      if (n < 2 || label[n] !~ /[a-z]/) bad = 1
      for (i = 1; i <= n; i++) if (label[i] !~ /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/ || length(label[i]) > 63) bad = 1
    } END { exit bad }' && case $1 in localhost.*|*.localhost|*.localdomain|*.local|*.invalid) false;; esac
}
lower() { printf '%s' "$1" | LC_ALL=C tr A-Z a-z; }

case $1 in
  ?*@?*) ;;
  *) fail 100 "usage: config user@domain [host]";;
esac
user=${1%@*}
domain=$(lower "${1##*@}")
host=$(lower "${2:-}")
name "$domain" || fail 100 "$domain cannot be the name of a domain"
entry=$(getent passwd "$user" 2>/dev/null || awk -F: -v user="$user" '$1 == user' /etc/passwd)
case $user in
  *[!a-z0-9_.-]*) fail 100 "mail goes to users whose names have small letters: $user is none of them";;
esac
test -n "$entry" || fail 100 "there is no user $user: make one first (adduser $user)"
test "$(echo "$entry" | cut -d: -f3)" != 0 || fail 100 "mail never goes to root: name the user who reads it"
test "$(id -u)" = 0 || fail 111 "root must do this"
cd "$home/control" 2>/dev/null || fail 111 "$home is not there: run make setup first"

# Without a name for this host: the one it has, where that is in the domain.
if test -z "$host" && test -s me; then host=$(head -n 1 me); fi
if test -z "$host"; then
  host=$(lower "$(hostname -f 2>/dev/null || hostname 2>/dev/null || uname -n)")
  case $host in *".$domain") ;; *) host=mail.$domain;; esac
fi
name "$host" || fail 100 "$host cannot be the name of a host"

umask 022
# put FILE TEXT: a control file, where nobody has written one
put() {
  if test -e "$1" || test -h "$1"; then say "control/$1 stays as it is: $(head -n 1 "$1")"; return; fi
  { echo "$2" >"$1.new" && mv "$1.new" "$1"; } || fail 111 "control/$1 cannot be written"
  say "control/$1: $(echo $2)"
}
# also FILE NAME: one more line of a list that is there
also() {
  grep -qixF -- "$2" "$1" && return
  # A last line without its end would become another name.
  test -z "$(tail -c 1 "$1")" || echo >>"$1"
  echo "$2" >>"$1" || fail 111 "control/$1 cannot be written"
  say "control/$1: $2 as well"
}
put me "$host"
host=$(head -n 1 me)
put defaultdomain "$domain"
put plusdomain "$domain"
put defaulthost "$domain"
put databytes 52428800
test -e locals || put locals "$host"
test -e rcpthosts || put rcpthosts "$host"
if grep -qi "^$(printf '%s' "$domain" | sed 's/\./\\./g'):" virtualdomains 2>/dev/null; then
  say "control/virtualdomains has $domain: it is not made local"
else
  also locals "$domain"
fi
also rcpthosts "$domain"

# The folder of the aliases is alias's, and so is whoever writes there; the same for a user's home.
as() { su -s /bin/sh "$1" -c "$2"; }
# alias NAME TEXT
alias_is() {
  if printf '%s\n' "$2" | as alias "umask 022; set -C; cat >'$home/alias/.qmail-$1'" 2>/dev/null; then
    say "mail to $1 goes to $(echo $2 | sed 's/&//g')"
  else
    say "alias/.qmail-$1 stays as it is"
  fi
}
# Another mailer's aliases: plain lists of addresses. What runs a program or is a file's name is left to a person.
if test -s /etc/aliases && ! test -e "$home/alias/.qmail-default"; then
  list=$(awk '
    /^#/ || /^[ \t]*$/ { next }
    /^[ \t]/ { if (name != "") text[name] = text[name] "," $0; next }
    { name = tolower($0); sub(/[ \t]*:.*/, "", name); gsub(/"/, "", name); line = $0; sub(/^[^:]*:/, "", line)
      order[++n] = name; text[name] = line }
    END { for (i = 1; i <= n; i++) {
      name = order[i]; good = name ~ /^[a-z0-9_.+-]+$/; out = ""
      m = split(text[name], one, ",")
      for (j = 1; j <= m; j++) {
        gsub(/^[ \t]+|[ \t]+$/, "", one[j])
        if (one[j] == "") continue
        if (one[j] !~ /^[A-Za-z0-9_+=.-]+(@[A-Za-z0-9.-]+)?$/ || tolower(one[j]) == name) good = 0
        out = out " " one[j]
      }
      if (out != "") print (good ? "+" : "-") " " name out
    } }' /etc/aliases)
  while read -r sign alias rest; do
    case $sign in
      '') ;;
      -) say "/etc/aliases: $alias is left to you: see dot-qmail(5)";;
      +) uid=$(awk -F: -v user="$alias" '$1 == user { print $3 }' /etc/passwd)
         case ${uid:-0} in
           0) alias_is "$(printf '%s' "$alias" | tr . :)" "$(for to in $rest; do echo "&$to"; done)";;
           *) say "/etc/aliases: $alias is a user here, whose own .qmail says where mail goes";;
         esac;;
    esac
  done <<LIST
$list
LIST
fi
for alias in root postmaster mailer-daemon abuse; do
  test -e "$home/alias/.qmail-$alias" || alias_is $alias "&$user@$domain"
done

if test -e "$home/rc" || test -h "$home/rc"; then
  say "$home/rc stays as it is: it says where mail goes by default"
else
  boot=home
  test -d /run/systemd/system && boot=run
  { sed -e 's,\./Mailbox,./Maildir/,' -e 's,~user/Mailbox,~user/Maildir/,' "$home/boot/$boot" >"$home/rc.new" &&
    chmod 755 "$home/rc.new" && mv "$home/rc.new" "$home/rc"; } || fail 111 "$home/rc cannot be written"
  say "$home/rc: mail goes to a Maildir by default"
fi
if grep -q '\./Maildir/' "$home/rc"; then
  # A user without one would wait for mail until somebody makes it.
  awk -F: '$3 >= 1000 && $3 < 60000 && $7 !~ /(nologin|false|true)$/ { print $1 ":" $6 }' /etc/passwd |
    while IFS=: read -r one folder; do
      test -d "$folder" && ! test -e "$folder/Maildir" || continue
      as "$one" "exec $bin/maildirmake '$folder/Maildir'" </dev/null && say "$one has a Maildir, $folder/Maildir"
    done
  if test -d /etc/skel && ! test -e /etc/skel/Maildir; then
    "$bin/maildirmake" /etc/skel/Maildir && say "new users get a Maildir, by /etc/skel"
  fi
  if test -d /etc/profile.d && ! test -e /etc/profile.d/qmail.sh; then
    printf '# Where mail is, for mail programs.\nMAIL=$HOME/Maildir\nexport MAIL\n' >/etc/profile.d/qmail.sh
    say "MAIL is the Maildir in login shells, by /etc/profile.d/qmail.sh"
  fi
fi
# Each .forward, by its user: addresses, and a copy for \user.
awk -F: '$3 >= 1000 && $3 < 60000 { print $1 ":" $6 }' /etc/passwd | while IFS=: read -r one folder; do
  as "$one" "cd '$folder' && test -f .forward && ! test -e .qmail" </dev/null 2>/dev/null || continue
  if as "$one" "umask 022; cd '$folder' && tr ',' '\n' <.forward | awk -v user='$one' '
      { gsub(/^[ \t]+|[ \t]+\$/, \"\") } \$0 == \"\" || /^#/ { next }
      \$0 == \"\\\\\" user { print \"./Maildir/\"; next }
      /^[A-Za-z0-9_+=.-]+@[A-Za-z0-9.-]+\$/ { print \"&\" \$0; next }
      { exit 1 }' >.qmail.new && test -s .qmail.new && ln .qmail.new .qmail && rm .qmail.new" </dev/null 2>/dev/null; then
    say "$one: .forward is now .qmail"
  else
    as "$one" "cd '$folder' && rm -f .qmail.new" </dev/null
    say "$one: .forward is left to the user: see dot-qmail(5)"
  fi
done

live=/etc/letsencrypt/live/$host
if test -e "tlscerts/$host"; then
  say "control/tlscerts/$host stays as it is"
elif test -e "$live/fullchain.pem" && test -e "$live/privkey.pem"; then
  "$bin/config-tls" "$host" "$live/fullchain.pem" "$live/privkey.pem"
else
  "$bin/config-tls" "$host" &&
    say "that certificate is vouched for by nobody: when you have one, config-tls $host fullchain.pem privkey.pem"
fi

if grep -q "^$user@$domain:" "$home/users/auth" 2>/dev/null; then
  say "$user@$domain may log in to send mail already"
elif password=$(od -An -N 12 -tx1 /dev/urandom | tr -d ' \n') &&
  printf '%s\n' "$password" | "$bin/qmail-newauth" -a "$user@$domain"; then
  say "$user@$domain logs in to send mail with the password $password, which qmail-newauth -a $user@$domain changes"
fi

"$bin/config-mail" "$domain" || say "when the DNS answers: config-mail $domain"
echo "
And for this host, with its own addresses:

$host. IN A 192.0.2.1
$domain. IN MX 10 $host.
$host. IN TXT ( \"v=spf1 a -all\" )

Its provider sets the PTR record of the address, to $host. Port 25 must be open in both directions.
What is wrong or missing, now and later: $bin/qmail-doctor"
