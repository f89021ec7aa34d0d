# A forgotten shell closes after fifteen minutes; new files are the owner's and the group's.
umask 027
TMOUT=300
readonly TMOUT
export TMOUT
