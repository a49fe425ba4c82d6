//! Examples for the foot of each command's help. Commands of this crate have theirs beside their flags; here are those
//! of the whole program and of the nodes.

pub(crate) const PEGLOOM: &str = "\
Examples:
  Two destinations to try things with, each of which says who it is, and a route to both:
    pegloom echo tcp://127.0.0.1:1234 --prefix 'primary: '
    pegloom echo tcp://127.0.0.1:1235 --prefix 'mirror: '
    pegloom up --listen tcp://127.0.0.1:7890 --forward :1234 --forward :1235 --codec lines

  A settings file to begin with, what it means, and to serve it:
    pegloom init replicate --output pegloom.toml
    pegloom check --config pegloom.toml
    pegloom up --config pegloom.toml

  What goes where, as it moves, in another terminal:
    pegloom up --config pegloom.toml --http 127.0.0.1:8088
    pegloom top

Exit codes: 0 done or drained, 1 failed, 2 grace over with work left, 64 wrong usage or settings.
SIGTERM and SIGINT drain, a second one ends at once; SIGUSR1 and SIGUSR2 print a report.";

pub(crate) const INGRESS: &str = "\
Examples:
  Both parts on this machine, with the same settings:
    pegloom ingress --config pegloom.toml
    pegloom fanout --config pegloom.toml --destination primary
    pegloom fanout --config pegloom.toml --destination mirror

  Without a file, for workers on other machines to link to:
    pegloom ingress --listen tcp://:7890 --forward 10.0.0.1:1234 --bind tcp://10.0.0.9:7100";

pub(crate) const FANOUT: &str = "\
Examples:
  The worker of one destination; started again elsewhere, it is a further replica:
    pegloom fanout --config pegloom.toml --destination mirror --ingress tcp://10.0.0.9:7100

  Without a file:
    pegloom fanout --forward 10.0.0.1:1234 --ingress tcp://10.0.0.9:7100";

pub(crate) const STATS_NODE: &str = "\
Examples:
  For all nodes on this machine; each is told where with --stats:
    pegloom stats-node --http 127.0.0.1:8088 --recovery /var/lib/pegloom/stats.json
    pegloom ingress --config pegloom.toml --stats tcp://127.0.0.1:7200
    curl http://127.0.0.1:8088/stats         # or look at http://127.0.0.1:8088/ in a browser
    pegloom top http://127.0.0.1:8088

  For nodes on other machines:
    pegloom stats-node --bind tcp://10.0.0.9:7200 --http 10.0.0.9:8088";

pub(crate) const CHAT: &str = "\
Examples:
  A room, and somebody in it:
    pegloom chat room --port 9999 --ip all --name chatroom-server
    pegloom chat client --port 9999 --ip localhost --name 'John Doe'

  Two, with nobody between them:
    pegloom chat p2p --name a --port 8888 --ip all --server
    pegloom chat p2p --name b --port 8888 --ip localhost

  Without a server; one known peer is enough to meet all:
    pegloom chat mesh --name a --port 7001
    pegloom chat mesh --name b --port 7002 --peer localhost:7001";
