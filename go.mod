module qmail

go 1.26.0

godebug (
	containermaxprocs=0
	updatemaxprocs=0
)

require golang.org/x/sys v0.49.0
