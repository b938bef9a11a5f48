// The script of the report's page: what its parts share, the head, and who spoke. It writes what comes from a capture as text,
// never as markup, and asks no network.

extension ReportPage {
    /// The first part of the script.
    static let script = #"""
        'use strict';
        const D=JSON.parse(document.getElementById('data').textContent),$=document.getElementById.bind(document);
        const make=(tag,cls,text)=>{const e=document.createElement(tag);if(cls)e.className=cls;
         if(text!==undefined)e.textContent=text;return e};
        const put=(into,...all)=>{for(const e of all)into.append(e);return into};
        const N=Math.max(1,D.duration),buckets=Math.floor(N/D.bucket)+1;
        const two=n=>String(n).padStart(2,'0');
        const sec=ms=>(ms/1000).toFixed(ms<1e5?2:1)+' s';
        const short=ms=>ms<12e4?+(ms/1000).toFixed(2)+' s':Math.floor(ms/6e4)+':'+two(Math.round(ms/1000)%60);
        const big=n=>n>=1e9?(n/1e9).toFixed(2)+' G':n>=1e6?(n/1e6).toFixed(1)+' M':n>=1e4?(n/1e3).toFixed(1)+' k':n+' ';
        const count=n=>big(n).trim();
        const bits=n=>(n>=1e6?(n/1e6).toFixed(2)+' M':Math.round(n/1e3)+' k')+'bit/s';
        const rate=x=>bits(x*8000/D.bucket);
        const tenth=(x,unit)=>x<0?'–':(x/10).toFixed(x<100?1:0)+unit;
        const order=new Map(D.peers.map((p,i)=>[p.id,i]));
        const turn=id=>((order.get(id)??id)*137.5+165)%360;
        // One lightness for all, dark enough for white letters.
        const even=CSS.supports('color','oklch(50% .1 20)');
        const colour=id=>even?`oklch(54% .12 ${turn(id).toFixed(1)})`:`hsl(${turn(id).toFixed(1)} 42% 40%)`;
        const value=(list,t)=>list[Math.min(list.length-1,Math.floor(t/D.bucket))];
        const called=id=>'peer '+id;
        const tip=$('tip');
        function tell(e,text){if(!text){tip.style.display='none';return}
         tip.textContent=text;tip.style.display='block';
         tip.style.left=Math.max(4,Math.min(e.clientX+12,innerWidth-tip.offsetWidth-8))+'px';
         tip.style.top=Math.min(e.clientY+14,innerHeight-tip.offsetHeight-8)+'px'}
        // A strip of time. `say` tells what it shows at a moment, `label` what it shows to those who do not see it.
        function lane(cls,say,label){const l=make('div','lane '+(cls||''));
         if(label){l.setAttribute('role','img');l.setAttribute('aria-label',label)}
         const at=e=>{const r=l.getBoundingClientRect();return Math.max(0,Math.min(N,(e.clientX-r.left)/r.width*N))};
         l.onmousemove=e=>tell(e,say(at(e)));l.onmouseleave=e=>tell(e,'');
         l.onclick=e=>{moment(at(e))};
         return l}
        function row(name,l,title,unit){const n=make('div','name',name);if(title)n.title=title;
         if(unit)put(n,' ',make('i','',unit));
         if(l.scale)put(n,make('span','scale',l.scale));
         return put(make('div','row'),n,l)}
        const steps=[10,20,50,100,200,500,1e3,2e3,5e3,1e4,15e3,3e4,6e4,12e4,3e5,6e5,18e5,36e5,72e5,864e5];
        const tickStep=k=>steps.find(s=>N/s<=k)||N/k;
        function axis(){const l=make('div','lane axis'),s=tickStep(innerWidth<620?4:9);
         for(let t=0;t<=N;t+=s){const e=make('span','tick',short(t));e.style.left=t/N*100+'%';
          if(!t)e.classList.add('first');else if(t>N*.97)e.classList.add('last');l.append(e)}
         return row('',l)}
        function canvas(width,tall,draw){const c=make('canvas');c.width=width;c.height=tall;
         draw(c.getContext('2d'));return c}
        const sharp=c=>{c.className='sharp';return c};
        const bars=(list,tall,fill,height)=>sharp(canvas(buckets,tall,g=>{g.fillStyle=fill;
         list.forEach((x,i)=>{const h=height(x);if(h>0)g.fillRect(i,tall-h,1,h)})}));
        const nice=top=>{if(top<=0)return 1;const p=10**Math.floor(Math.log10(top));
         return[1,1.5,2,3,4,5,7.5,10].map(m=>m*p).find(m=>m>=top*.999)};
        // Curves over time, -1 where nothing is known; the first one is filled. They begin at zero and share a scale, which is
        // said beside them, where it covers none.
        function chart(curves,scale,say,label){const l=lane('chart',say,label),ns='http://www.w3.org/2000/svg';
         let top=0;for(const[list]of curves)for(const x of list)if(x>top)top=x;
         top=nice(top*1.15);
         const svg=document.createElementNS(ns,'svg');svg.setAttribute('viewBox','0 0 '+N+' 100');
         svg.setAttribute('preserveAspectRatio','none');
         const add=(cls,d)=>{const p=document.createElementNS(ns,'path');p.setAttribute('class',cls);
          p.setAttribute('d',d);svg.append(p)};
         for(const[list,cls,filled]of curves){let d='',first=-1,last=0;
          list.forEach((x,i)=>{if(x<0)return;const at=Math.min(N,(i+.5)*D.bucket);
           d+=(first<0?'M':'L')+at.toFixed(0)+' '+(98-x/top*90).toFixed(1);if(first<0)first=at;last=at});
          if(first<0)continue;
          if(filled)add('area',d+'L'+last.toFixed(0)+' 98L'+first.toFixed(0)+' 98Z');
          add('curve '+cls,d)}
         l.scale='0–'+scale(top).replace(/\.0+(?= )/,'').replace(/(\.\d+?)0+(?= )/,'$1');
         return put(l,svg)}
        function facts(){
         $('title').textContent=D.title;document.title=D.title+' replayed';
         const b=$('badge'),v=D.verdict.kind;
         b.textContent=v==='identical'?'identical':v==='different'?'different':'nothing recorded to compare with';
         b.className='badge '+(v==='identical'?'good':v==='different'?'bad':'warn');
         const s=D.summary,list=[[sec(N),'of media'],[count(D.peers.length),D.peers.length===1?'peer':'peers'],
          [count(s.rtpIn),'RTP packets in'],[count(s.rtpOut),'RTP packets out'],
          [count(s.rtcpIn)+' / '+count(s.rtcpOut),'RTCP in / out'],
          [big(s.bytesIn)+'B','in'],[big(s.bytesOut)+'B','out'],
          [count(s.decisions),'decisions'],[count(s.compared),'outputs compared']];
         if(s.gaps||s.skipped)list.push([s.gaps+' / '+count(s.skipped),'gaps / inputs left out']);
         for(const[a,c]of list)put($('facts'),put(make('div'),make('b','',a),make('span','',c)));
         $('origin').textContent=[D.recordedBy?'recorded by '+D.recordedBy:'','replayed by '+D.replayedBy,
          D.seed&&D.seed!=='0'?'seed '+D.seed:'','0 s is '+D.start+' s on the server’s clock',
          D.isTruncated?'the file ends within a block: what was written last is not in it':''].filter(Boolean).join(' · ');
         $('digest').textContent=D.digest;
         $('main').style.setProperty('--tick',tickStep(innerWidth<620?4:9)/N*100+'%')}
        function table(head,rows,numeric=[],times=[]){const t=make('table',numeric.length?'counts':''),h=make('tr');
         head.forEach((c,i)=>h.append(make('th',numeric.includes(i)?'n':'',c)));t.append(put(make('thead'),h));
         const b=make('tbody');for(const r of rows){const tr=make('tr');
          r.forEach((c,i)=>tr.append(make('td',numeric.includes(i)?'n':times.includes(i)?'t':'',c)));b.append(tr)}
         t.append(b);return put(make('div','scroll'),t)}
        function difference(){const v=D.verdict;if(v.kind!=='different')return;
         const c=$('difference');c.hidden=false;
         put(c,make('h2','bad','The first difference'),
          make('p','','Event '+v.index+', at '+v.at+' s, after '+v.before+'.'),
          table(['','recorded','replayed'],[['',v.recorded,v.replayed],...v.fields]));
         if(v.nearby.length)put(c,make('p','soft small','Decisions of the replay nearby'),
          table(['time','decision'],v.nearby.map(r=>[r[0]+' s',r[1]]),[],[0]))}
        function whatIf(){const w=D.whatIf;if(!w)return;const c=$('whatif');c.hidden=false;
         put(c,make('h2','','What if: '+w.changes));for(const n of w.notes)put(c,make('p','warn',n));
         put(c,table(['','recorded','changed','difference'],w.counts.map(r=>[r[0],r[1],r[2],
           r[1]===r[2]?'':(r[2]>r[1]?'+':'−')+Math.abs(r[2]-r[1])]),[1,2,3]),
          make('p','soft small',w.differences+' decisions were taken in one run only'+
           (w.first.length?'; the first of them (− as recorded, + with the change):':'.')));
         if(w.first.length)put(c,table(['','time','decision'],w.first.map(r=>[r[0],r[1]+' s',r[2]]),[],[1]))}
        // On how many receivers' slots a publisher's voice was, over time.
        function audiences(){const all=new Map();
         const bucket=t=>Math.min(buckets,Math.max(0,Math.floor(t/D.bucket)));
         for(const p of D.peers)for(const s of p.slots)if(s.kind==='audio')for(const x of s.spans){
          if(x[2]<0||x[5])continue;
          if(!all.has(x[2]))all.set(x[2],new Int32Array(buckets+1));
          const list=all.get(x[2]);list[bucket(x[0])]++;
          list[x[1]>=0?bucket(x[1]):p.left!==null?bucket(p.left):buckets]--}
         for(const list of all.values())for(let i=1;i<list.length;i++)list[i]+=list[i-1];
         return all}
        const talkers=D.peers.filter(p=>p.levels.some(l=>l<127));
        const loud=p=>p.levels.reduce((n,l)=>n+(l<60?1:0),0);
        function speech(){const box=$('speech');
         if(!talkers.length){put(box,make('p','soft','No packet carried an audio level.'));return}
         const heard=audiences(),most=Math.max(1,D.peers.length-1);
         const shown=talkers.map(p=>[loud(p),p]).sort((a,b)=>b[0]-a[0]||a[1].id-b[1].id).slice(0,20).map(x=>x[1]);
         for(const p of shown){const ears=heard.get(p.id);
          const say=t=>{const x=value(p.levels,t),n=ears?ears[Math.min(buckets-1,Math.floor(t/D.bucket))]:0;
           return called(p.id)+' at '+sec(t)+': '+(x===undefined||x===255?'nothing sent':x===127?'silence':
            '−'+x+' dBov')+', on the slots of '+n};
          const l=lane('',say,called(p.id)+' spoke for '+sec(loud(p)*D.bucket));
          l.append(bars(p.levels,20,colour(p.id),x=>x<127?Math.max(1,Math.round((1-x/90)*20)):0));
          const both=put(make('div','pair'),l);
          if(ears){const h=lane('heard',say);h.append(sharp(canvas(buckets,1,g=>{g.fillStyle=colour(p.id);
           for(let i=0;i<buckets;i++){if(ears[i]<=0)continue;g.globalAlpha=.15+.85*Math.min(1,ears[i]/most);
            g.fillRect(i,0,1,1)}})));both.append(h)}
          box.append(row(called(p.id),both,p.publishes))}
         box.append(axis());
         if(talkers.length>shown.length)put(box,make('p','soft small',
          (talkers.length-shown.length)+' more, who were more often silent, are not drawn.'))}

        """#
}
