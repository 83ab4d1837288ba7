module balai.invalid/lab/images/page

go 1.26.0
